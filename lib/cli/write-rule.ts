import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { isMap, parseDocument } from "yaml";
import { NacreError } from "../error.ts";
import type { Allow } from "../egress/protocol.ts";
import { loadBlueprint } from "../pulumi/blueprint-file.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { replaceFile } from "./replace-file.ts";

/**
 * Writes an allowed destination into a YAML blueprint as a rule of the agent's own policy, comments and order kept.
 * The result is read back strictly before it takes the file's place. Resolves to the file.
 */
export type WriteRule = (allow: Omit<Allow, "id" | "until">) => Promise<string>;

/** @throws NacreError `write_refused`: the file says nothing of the agent, or keeps its policy elsewhere */
export async function ruleWriter(file: string, id: string): Promise<WriteRule> {
  const agent = ["agents", id.slice(id.indexOf("/") + 1)];
  const document = parseDocument(await readFile(file, "utf8"));
  if (!isMap(document.getIn(agent)))
    throw refused(file, `has no agent ${agent[1] ?? ""}`, "name the right file with --write FILE");
  const policy = document.getIn([...agent, "policy"]);
  if (policy !== undefined && !isMap(policy))
    throw refused(file, "keeps the policy in a file of its own", "add the rule there by hand");
  return async (allow) => {
    if (!document.hasIn([...agent, "policy"]))
      document.setIn([...agent, "policy"], document.createNode({ version: 1 }));
    const rules = [...agent, "policy", "network_policies"];
    const rule = ruleOf(allow);
    const key = freeKey(nameOf(allow), (name) => {
      const found = document.getIn([...rules, name]);
      return found !== undefined && !(isMap(found) && isDeepStrictEqual(found.toJSON(), rule));
    });
    document.setIn([...rules, key], document.createNode(rule, { flow: true }));
    const text = document.toString({ lineWidth: 110 });
    await replaceFile(file, text, (draft) => loadBlueprint(draft, loadCatalogue()));
    return file;
  };
}

const ruleOf = ({ host, port, binary, method, path }: Parameters<WriteRule>[0]): object => ({
  endpoints: [
    {
      host,
      port,
      ...(method === undefined ? {} : { protocol: "rest", rules: [{ allow: { method, path } }] }),
    },
  ],
  ...(binary === undefined ? {} : { binaries: [{ path: binary }] }),
});

const nameOf = ({ host, port, method = "", path = "" }: Parameters<WriteRule>[0]): string =>
  `${host}-${port}-${method}-${path}`
    .replaceAll(/[^a-z0-9]+/gi, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 60)
    .toLowerCase();

/** A rule that is there already stays: it may be of another program, or of another path that reads alike. */
function freeKey(name: string, isTaken: (name: string) => boolean): string {
  for (let count = 1; ; count++) {
    const key = count === 1 ? name : `${name}-${count}`;
    if (!isTaken(key)) return key;
  }
}

const refused = (subject: string, message: string, hint: string): NacreError =>
  new NacreError({ code: "write_refused", subject, message, hint });
