import type { SecretEntry } from "../host/operator.ts";

/** Where a secret's value comes from, without it: of a command, the program alone. */
export const sourceText = ({ file, env, command }: SecretEntry): string =>
  file !== undefined ? `file ${file}` : env !== undefined ? `env ${env}` : `command ${command?.[0] ?? ""}`;

/** What a mapping says, for a person who is about to change it, or just did. */
export const mappingText = (entry: SecretEntry): string =>
  `${sourceText(entry)}, for ${entry.for.join(", ")}, used by ${entry.use.join(", ")}`;
