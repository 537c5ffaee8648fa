import { mkdir, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, digestOfText } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import { networkPoliciesSchema, type NetworkPolicies } from "../policy/language.ts";
import { isCode, readJson, writeAtomic } from "./state.ts";

/** No policy that people write is longer, and each of a hundred may be kept. */
const longest = 4 * 1024 * 1024;

export interface Content {
  /** `sha256:…` of its canonical form. */
  readonly base: string;
  /** Bytes. */
  readonly size: number;
}

/** The base policies of one sandbox' revisions, each once, in files named by their digest. */
export class KeptPolicies {
  readonly #folder: string;
  /** Hashed once: an allow above a large base is not to wait for it. */
  readonly #known = new WeakMap<NetworkPolicies, Content>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** @throws NacreError `policy_too_long` */
  contentOf(network: NetworkPolicies): Content {
    const known = this.#known.get(network);
    if (known !== undefined) return known;
    const text = canonicalJson(network);
    const content = { base: digestOfText(text), size: Buffer.byteLength(text) };
    if (content.size > longest) throw tooLong(content.size);
    this.#known.set(network, content);
    return content;
  }

  async write(network: NetworkPolicies): Promise<void> {
    await mkdir(this.#folder, { mode: 0o700 }).catch((error: unknown) => {
      if (!isCode(error, "EEXIST")) throw error;
    });
    await writeAtomic(this.#path(this.contentOf(network).base), canonicalJson(network));
  }

  /** `undefined`: it is not kept any more. @throws NacreError `state_corrupt`: it is not what its name says */
  async read(base: string): Promise<NetworkPolicies | undefined> {
    const network = await readJson(this.#path(base), networkPoliciesSchema);
    if (network === undefined || this.contentOf(network).base === base) return network;
    throw new NacreError({
      code: "state_corrupt",
      subject: this.#path(base),
      message: "holds another policy than its name says",
      hint: "put back a copy of it, or move it away to lose what it holds",
    });
  }

  /** Removes what no revision has, also what an interrupted write left. */
  async prune(bases: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...bases].map(nameOf));
    const names = await readdir(this.#folder).catch((error: unknown) => {
      if (isCode(error, "ENOENT")) return [];
      throw error;
    });
    for (const name of names) if (!wanted.has(name)) await unlink(join(this.#folder, name));
  }

  #path(base: string): string {
    return join(this.#folder, nameOf(base));
  }
}

const nameOf = (base: string): string => `${base.replace("sha256:", "")}.json`;

const tooLong = (size: number): NacreError =>
  new NacreError({
    code: "policy_too_long",
    subject: "policy",
    message: `is ${size} bytes long, and ${longest} are the most`,
    hint: "name fewer hosts, or use patterns: **.example.com",
  });
