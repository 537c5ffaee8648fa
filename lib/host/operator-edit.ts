import { mkdir, readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { isMap, isSeq, parseDocument, type Document } from "yaml";
import { grantEntrySchema, isBlank, readOperator, secretSchema, type SecretEntry } from "./operator.ts";
import { isCode, writeAtomic } from "./state.ts";
import type { z } from "zod";

/** Writes entries into the operator's file. Comments and order of what is there stay; the file is 0600. */

export function setSecret(path: string, name: string, entry: SecretEntry): Promise<void> {
  return edit(path, (document) => {
    document.setIn(["secrets", name], document.createNode(secretSchema.parse(entry), { flow: true }));
  });
}

/** Whether there was one. */
export async function removeSecret(path: string, name: string): Promise<boolean> {
  const { secrets } = await readOperator(path);
  if (!Object.hasOwn(secrets, name)) return false;
  await edit(path, (document) => document.deleteIn(["secrets", name]));
  return true;
}

/** Nothing happens when the very same grant is there. */
export async function addGrant(path: string, grant: z.infer<typeof grantEntrySchema>): Promise<void> {
  const { grants } = await readOperator(path);
  const { host, cidr, port } = grantEntrySchema.parse(grant);
  if (grants.some((found) => found.host === host && found.cidr === cidr && found.port === port)) return;
  await edit(path, (document) => {
    const node = document.createNode({ host, cidr, port }, { flow: true });
    if (isSeq(document.get("grants"))) document.addIn(["grants"], node);
    else document.set("grants", document.createNode([node]));
  });
}

async function edit(path: string, change: (document: Document) => void): Promise<void> {
  await readOperator(path); // What is there must be right before it is changed.
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (isCode(error, "ENOENT", "ENOTDIR")) return "";
    throw error;
  });
  const document: Document = parseDocument(text);
  if (isBlank(text)) document.contents = document.createNode({});
  if (isMap(document.contents)) document.contents.flow = false;
  change(document);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  // A link into somebody's folder of settings stays a link.
  const target = await realpath(path).catch(() => path);
  await writeAtomic(target, document.toString({ lineWidth: 110 }));
  await readOperator(path);
}
