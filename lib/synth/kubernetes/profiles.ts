import type { Construct } from "constructs";
import { canonicalJson, digestOf, type ResolvedAgent } from "../../blueprint/index.ts";
import { k8s } from "./k8s.ts";
import { runtimeDefault, type Seccomp } from "./pod.ts";
import { metadataOf, type Parts } from "./scope.ts";

/**
 * The walls' rules as objects, for the launcher inside: one for each that differs, called after what it holds and
 * immutable, so that many sandboxes share one and a change of a wall is a change of the pods that it concerns.
 */
export class Profiles {
  readonly #scope: Construct;
  readonly #parts: Parts;
  readonly #made = new Set<string>();
  readonly #texts = new WeakMap<object, { readonly text: string; readonly digest: string }>();

  constructor(scope: Construct, parts: Parts) {
    this.#scope = scope;
    this.#parts = parts;
  }

  /** The names of the two objects. */
  of({ files, seccomp, walls }: ResolvedAgent): { readonly files: string; readonly profile: string } {
    const rules = canonicalJson({ version: 1, required: walls.files === "required", ...files });
    return {
      files: this.#keep("landlock", rules, digestOf(rules)),
      profile: this.#keep("seccomp", this.#text(seccomp).text, this.#text(seccomp).digest),
    };
  }

  /** What the pod itself says: the runtime's own profile, or the blueprint's where nodes hold it. */
  seccompOf({ seccomp }: ResolvedAgent): Seccomp {
    if (this.#parts.settings.seccomp === "runtime-default") return runtimeDefault;
    return { type: "Localhost", localhostProfile: `nacre/${short(this.#text(seccomp).digest)}.json` };
  }

  /** A profile has hundreds of names, and most sandboxes have the same one. */
  #text(profile: ResolvedAgent["seccomp"]): { readonly text: string; readonly digest: string } {
    const known = this.#texts.get(profile);
    if (known !== undefined) return known;
    const text = canonicalJson(profile);
    const made = { text, digest: digestOf(text) };
    this.#texts.set(profile, made);
    return made;
  }

  #keep(kind: "landlock" | "seccomp", text: string, digest: string): string {
    const name = `${kind}-${short(digest)}`;
    if (!this.#made.has(name)) {
      new k8s.KubeConfigMap(this.#scope, name, {
        metadata: metadataOf(this.#parts, name),
        immutable: true,
        data: { [`${kind}.json`]: text },
      });
      this.#made.add(name);
    }
    return name;
  }
}

/** 128 bits: nobody makes two texts that have one. */
const short = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 32);
