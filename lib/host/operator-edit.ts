import { mkdir, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { isMap, isSeq, parseDocument, type Document } from "yaml";
import { renderPath } from "../blueprint/index.ts";
import { NacreError } from "../error.ts";
import {
  type grantEntrySchema,
  isBlank,
  mappedTo,
  ownText,
  parseOperator,
  readOperator,
  secretFindings,
  type SecretEntry,
} from "./operator.ts";
import { writeAtomic } from "./state.ts";
import type { z } from "zod";

/** Writes entries into the operator's file. Comments and order of what is there stay; the file is 0600. */

/** @throws NacreError `usage_secret`: the name or the entry is not what the file may hold */
export async function setSecret(path: string, name: string, entry: SecretEntry): Promise<void> {
  refuseWrong(name, entry);
  await edit(path, (document) => {
    document.setIn(["secrets", name], document.createNode(entry, { flow: true }));
    return true;
  });
}

/**
 * Lets a mapped secret go to more hosts, or be used by more sandboxes. Its source stays.
 * @returns the entry as it is now
 * @throws NacreError `secret_unmapped`; `usage_secret`: what is added is not what the file may hold
 */
export async function allowSecret(
  path: string,
  name: string,
  more: Pick<SecretEntry, "for" | "use">,
): Promise<SecretEntry> {
  const entry = mappedTo(await readOperator(path), name);
  if (entry === undefined)
    throw new NacreError({
      code: "secret_unmapped",
      subject: name,
      message: "is not mapped on this machine",
      hint: `nacre secret set ${name} says where its value comes from`,
    });
  const merged = {
    ...entry,
    for: [...new Set([...entry.for, ...more.for])],
    use: [...new Set([...entry.use, ...more.use])],
  };
  refuseWrong(name, merged);
  await edit(path, (document) => {
    for (const field of ["for", "use"] as const)
      for (const added of merged[field].slice(entry[field].length))
        document.addIn(["secrets", name, field], added);
    return true;
  });
  return merged;
}

function refuseWrong(name: string, entry: SecretEntry): void {
  const [wrong] = secretFindings(name, entry);
  if (wrong === undefined) return;
  throw new NacreError({
    code: "usage_secret",
    subject: `secret ${JSON.stringify(name)}`,
    message: [renderPath(wrong.path.slice(2)), wrong.reason].filter((part) => part !== "").join(": "),
    hint: wrong.fix,
  });
}

/** Whether there was one. */
export async function removeSecret(path: string, name: string): Promise<boolean> {
  let there = false;
  await edit(path, (document) => {
    there = document.hasIn(["secrets", name]);
    if (there) document.deleteIn(["secrets", name]);
    return there;
  });
  return there;
}

/** Nothing happens when the very same grant is there. */
export async function addGrant(
  path: string,
  { host, cidr, port }: z.infer<typeof grantEntrySchema>,
): Promise<void> {
  const { grants } = await readOperator(path);
  if (grants.some((found) => found.host === host && found.cidr === cidr && found.port === port)) return;
  await edit(path, (document) => {
    const node = document.createNode({ host, cidr, port }, { flow: true });
    if (isSeq(document.get("grants"))) document.addIn(["grants"], node);
    else document.set("grants", document.createNode([node]));
    return true;
  });
}

/** Writes what `change` made of it, where that is something. */
async function edit(path: string, change: (document: Document) => boolean): Promise<void> {
  const changed = changedText((await ownText(path)) ?? "", path, change);
  if (changed === undefined) return;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // A link into somebody's folder of settings stays a link.
  const target = await realpath(path).catch(() => path);
  await writeAtomic(target, changed);
}

/** Only the result must be right: so an entry that is wrong can be taken out, or replaced. */
function changedText(
  text: string,
  path: string,
  change: (document: Document) => boolean,
): string | undefined {
  try {
    const document: Document = parseDocument(text);
    if (isBlank(text)) document.contents = document.createNode({});
    if (isMap(document.contents)) document.contents.flow = false;
    const isChanged = change(document);
    const result = document.toString({ lineWidth: 110 });
    parseOperator(result, path);
    return isChanged ? result : undefined;
  } catch (error) {
    parseOperator(text, path); // What was wrong before is said at its own line.
    throw error;
  }
}
