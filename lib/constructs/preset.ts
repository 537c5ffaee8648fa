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

  /** GitHub for reading: REST API, cloning, archives. */
  static githubRead(): Preset {
    return new Preset("github-read");
  }

  /** GitHub for contributing, with the operator's token (`github`). */
  static githubWrite(): Preset {
    return new Preset("github-write");
  }

  /** A Telegram bot, with the operator's token (`telegram`). */
  static telegram(): Preset {
    return new Preset("telegram");
  }

  /** A Slack bot that reads and writes messages, with the operator's token (`slack`). */
  static slack(): Preset {
    return new Preset("slack");
  }

  /** A Discord bot that reads and writes messages, with the operator's token (`discord`). */
  static discord(): Preset {
    return new Preset("discord");
  }

  /** Models and datasets of Hugging Face, for reading. */
  static huggingface(): Preset {
    return new Preset("huggingface");
  }

  /** Searches of the web with Brave, with the operator's key (`brave-search`). */
  static braveSearch(): Preset {
    return new Preset("brave-search");
  }

  /** Packages of the npm registry, for reading. */
  static npm(): Preset {
    return new Preset("npm");
  }

  /** Packages of the Python package index, for reading. */
  static pypi(): Preset {
    return new Preset("pypi");
  }
}
