/** A named, reviewed piece of network policy that ships with Nacre (`policies/presets`). */
export class Preset {
  readonly kind = "preset";
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static named(name: string): Preset {
    return new Preset(name);
  }

  /** GitHub's site, API and downloads, whole: anything can be sent to these hosts. */
  static github(): Preset {
    return new Preset("github");
  }

  /** The npm registry, whole. */
  static npm(): Preset {
    return new Preset("npm");
  }

  /** The Python package index and its files, whole. */
  static pypi(): Preset {
    return new Preset("pypi");
  }
}
