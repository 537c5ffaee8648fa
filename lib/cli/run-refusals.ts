import type { Denial } from "../host/api.ts";
import { note, plain } from "./output.ts";

/** A command that tries many hosts shall not bury its own output. */
const most = 10;

/** What the network wall refused to a command, told when it has ended: nothing else of its sandbox is left to ask. */
export function tellRefusals(denials: readonly Denial[]): void {
  // Two requests that are refused for one reason read alike.
  const told = [...new Set(denials.map(textOf))];
  for (const text of told.slice(0, most)) note(text);
  if (told.length > most) note(`refused: ${told.length - most} more`);
}

function textOf({ host, port, layer, reason, allow, fix }: Denial): string {
  const request = allow?.method === undefined ? "" : `${allow.method} ${allow.path ?? ""} of `;
  const where = port === null ? host : `${host}:${port}`;
  // There is no sandbox whose policy `nacre allow` could change.
  const way = allow === null ? fix : "add --preset NAME, if one allows that (nacre reference presets)";
  return `refused: ${plain(`${request}${where}`)}: ${plain(reason)} (${plain(layer)})\n  fix: ${plain(way)}`;
}
