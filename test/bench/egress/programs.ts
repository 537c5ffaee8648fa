import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** What a bench drives beside Node, and the command that installs it. */
const installs = {
  squid: "apt-get install -y --no-install-recommends squid",
  tinyproxy: "apt-get install -y --no-install-recommends tinyproxy",
  nginx: "apt-get install -y --no-install-recommends nginx-light",
  wrk: "apt-get install -y --no-install-recommends wrk",
  python3: "apt-get install -y --no-install-recommends python3 python3-venv",
} as const;
export type Program = keyof typeof installs;

/** Where a program is; administrators' programs are not on everyone's PATH. */
export function pathOf(program: Program): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

/** Says that a program is not there, and how to get it. */
export const missing = (program: Program): string =>
  `${program} is not on this machine; to have it: ${installs[program]}`;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
