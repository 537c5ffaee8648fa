import type { Denial } from "../host/api.ts";
import { note, plain } from "./output.ts";

/** A command that tries many hosts shall not bury its own output. */
const most = 10;

/** What the network wall refused to a command, told when it has ended: nothing else of its sandbox is left to ask. */
export function tellRefusals(denials: readonly Denial[]): void {
  for (const denial of denials.slice(0, most)) {
    const { host, port, layer, reason } = denial;
    note(`refused: ${plain(port === null ? host : `${host}:${port}`)}: ${plain(reason)} (${plain(layer)})`);
    note(`  fix: ${plain(fixOf(denial))}`);
  }
  if (denials.length > most) note(`refused: ${denials.length - most} more`);
}

/** There is no sandbox whose policy `nacre allow` could change. */
const fixOf = ({ allow, fix }: Denial): string =>
  allow === null ? fix : "add --preset NAME, if one allows that (nacre reference presets)";
