import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type * as policyFile from "../../lib/blueprint/policy-file.ts";
import type * as addressClass from "../../lib/policy/address-class.ts";
import type * as canonicalPath from "../../lib/policy/canonical-path.ts";
import type * as compile from "../../lib/policy/compile.ts";
import type * as decide from "../../lib/policy/decide.ts";
import type * as glob from "../../lib/policy/glob.ts";
import type * as hostPattern from "../../lib/policy/host-pattern.ts";
import type * as hostTrie from "../../lib/policy/host-trie.ts";
import type * as language from "../../lib/policy/language.ts";
import type * as query from "../../lib/policy/query.ts";

/** What the cases are put to: the policy library, and the linter over it. */
export type Library = Pick<typeof compile, "compile"> &
  Pick<typeof decide, "decide"> &
  Pick<typeof canonicalPath, "canonicalPath"> &
  Pick<typeof query, "readQuery"> &
  Pick<typeof language, "networkPoliciesSchema"> &
  Pick<typeof hostPattern, "parseHostPattern"> &
  Pick<typeof hostTrie, "HostTrie"> &
  Pick<typeof glob, "glob"> &
  Pick<typeof addressClass, "classOf"> &
  Pick<typeof policyFile, "examinePolicy">;

const files = [
  "policy/compile",
  "policy/decide",
  "policy/canonical-path",
  "policy/query",
  "policy/language",
  "policy/host-pattern",
  "policy/host-trie",
  "policy/glob",
  "policy/address-class",
  "blueprint/policy-file",
];

/** The library of a `lib` folder: this repository's, or a copy with a mistake in it. */
export async function libraryIn(folder: string): Promise<Library> {
  const modules = await Promise.all(
    files.map((file) => import(pathToFileURL(join(folder, `${file}.ts`)).href) as Promise<object>),
  );
  return Object.assign({}, ...modules) as Library;
}
