import { readFile, rename, writeFile } from "node:fs/promises";
import { isMap, parseDocument } from "yaml";
import { NacreError } from "../error.ts";
import type { Allow } from "../egress/protocol.ts";
import { loadBlueprint } from "../pulumi/blueprint-file.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { blueprintFile, type Context } from "./context.ts";

/**
 * Writes an allowed destination into the YAML blueprint as a rule of the agent's own policy, comments and order kept.
 * The result is read back strictly before it takes the file's place. Returns the file.
 */
export async function writeRule(
  context: Context,
  named: string | undefined,
  id: string,
  allow: Allow,
): Promise<string> {
  const file = blueprintFile(context, named);
  const agent = id.slice(id.indexOf("/") + 1);
  const document = parseDocument(await readFile(file, "utf8"));
  const at = ["agents", agent];
  if (!isMap(document.getIn(at)))
    throw refused(file, `has no agent ${agent}`, "name the right file with --write FILE");
  const policy = document.getIn([...at, "policy"]);
  if (policy !== undefined && !isMap(policy))
    throw refused(file, "keeps the policy in a file of its own", "add the rule there by hand");
  if (policy === undefined) document.setIn([...at, "policy"], document.createNode({ version: 1 }));
  const rule = {
    endpoints: [{ host: allow.host, port: allow.port }],
    ...(allow.binary === undefined ? {} : { binaries: [{ path: allow.binary }] }),
  };
  const key = `${allow.host}-${allow.port}`.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase();
  document.setIn([...at, "policy", "network_policies", key], document.createNode(rule, { flow: true }));
  const draft = `${file}.nacre-new.yaml`;
  await writeFile(draft, document.toString({ lineWidth: 110 }));
  loadBlueprint(draft, loadCatalogue());
  await rename(draft, file);
  return file;
}

const refused = (subject: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "write_refused", subject, message, hint });
