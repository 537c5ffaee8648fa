import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { isMap, parseDocument } from "yaml";
import { NacreError } from "../error.ts";
import type { Allow } from "../egress/protocol.ts";
import type { QueryMatcher, RequestMatcher } from "../policy/language.ts";
import { readQuery } from "../policy/query.ts";
import { loadBlueprint } from "../pulumi/blueprint-file.ts";
import { loadCatalogue } from "../pulumi/catalogue.ts";
import { replaceFile } from "./replace-file.ts";

/**
 * Writes an allowed destination into a YAML blueprint as a rule of the agent's own policy, comments and order kept.
 * The result is read back strictly before it takes the file's place. Resolves to the file.
 */
export type WriteRule = (allow: Omit<Allow, "id" | "until">) => Promise<string>;

/** @param query of what will be written. @throws NacreError `write_refused`: no rule can say it, the file says nothing of the agent, or keeps its policy elsewhere */
export async function ruleWriter(file: string, id: string, query?: string): Promise<WriteRule> {
  queryOf(query);
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

const ruleOf = ({ host, port, binary, method, path, query }: Parameters<WriteRule>[0]): object => ({
  endpoints: [
    {
      host,
      port,
      ...(method === undefined
        ? {}
        : { protocol: "rest", rules: [{ allow: { method, path, ...queryOf(query) } }] }),
    },
  ],
  ...(binary === undefined ? {} : { binaries: [{ path: binary }] }),
});

/** Each parameter with its values. A rule leaves other parameters free; what it cannot say at all is not written. */
function queryOf(written: string | undefined): { readonly query?: NonNullable<RequestMatcher["query"]> } {
  if (written === undefined) return {};
  const query = readQuery(written);
  if (query === "unreadable" || query.size === 0 || written.includes("*"))
    throw refused(
      `the query ${written === "" ? "that is empty" : written}`,
      "no rule can say it exactly: a rule asks for parameters, and takes a star for a pattern",
      "leave --write out, and add the rule by hand",
    );
  const matchers = [...query].map(([name, values]): [string, QueryMatcher] => {
    const [first = "", ...others] = new Set(values);
    return [name, others.length === 0 ? first : { any: [first, ...others] }];
  });
  return { query: Object.fromEntries(matchers) };
}

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
