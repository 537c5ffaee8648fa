import { stringify } from "yaml";
import type { ResultOf } from "../host/api.ts";
import { openText } from "../host/open-text.ts";
import { plain } from "./output.ts";

/** A policy file, with what a reader should know of it as comments. */
export function wantedText(id: string, found: ResultOf<"policy.get">, full: boolean): string {
  const { revision, hash, loaded, live, network, allows, blocks, files, walls } = found;
  const state = loaded?.revision === revision ? "in force" : "not in force yet";
  const source = live ? "put in place by command" : "the blueprint's";
  const above = [
    ...blocks.map((block) => `blocked above it: ${"all" in block ? "everything" : block.host}`),
    ...allows.map(
      (allow) => `allowed above it until ${new Date(allow.until).toISOString()}: ${openText(allow)}`,
    ),
  ];
  const sections = {
    filesystem_policy: { read_only: files.readOnly, read_write: files.readWrite },
    landlock: { compatibility: walls.files === "required" ? "hard_requirement" : "best_effort" },
  };
  return text([`${id}, revision ${revision}, ${hash}: ${source}, ${state}`, ...(full ? above : [])], {
    version: 1,
    ...(full ? sections : {}),
    network_policies: network,
  });
}

export function revisionText(id: string, { revision, network }: ResultOf<"policy.revision">): string {
  const { version, hash, by, at, state } = revision;
  const head = `${id}, revision ${version}, ${hash}: ${state}, by ${by}, ${new Date(at).toISOString()}`;
  return text([head], { version: 1, network_policies: network });
}

const text = (comments: readonly string[], policy: object): string =>
  [
    ...comments.map((comment) => `# ${plain(comment)}`),
    stringify(policy, { lineWidth: 110, aliasDuplicateObjects: false }).trimEnd(),
  ].join("\n");
