import { isDeepStrictEqual } from "node:util";
import { mappedTo, readOperator } from "../host/operator.ts";
import { allowSecret, setSecret } from "../host/operator-edit.ts";
import { operatorFile } from "../host/paths.ts";
import { vendorEndpoints } from "../router/target.ts";
import { mappingText } from "./mapped.ts";
import { note } from "./output.ts";

/** Where NVIDIA Endpoints answer; the only host that its key may go to. */
export const nvidiaHost = new URL(vendorEndpoints.nvidia).hostname;

/** Where a key comes from. */
export type KeySource = { readonly env: string } | { readonly file: string };

/**
 * Says on this machine what a provider's credential means, for one sandbox, and says what was written. What others may
 * do with the same source stays.
 */
export async function mapKey(
  name: string,
  source: KeySource,
  destination: string,
  user: string,
): Promise<void> {
  const what = "env" in source ? `${source.env} of your environment` : `the file ${source.file}`;
  const more = { for: [destination], use: [user] };
  const before = mappedTo(await readOperator(operatorFile()), name);
  if (before !== undefined && isDeepStrictEqual({ ...before, ...more }, { ...source, ...more })) {
    const entry = await allowSecret(operatorFile(), name, more);
    note(`wrote into ${operatorFile()}: ${name} is ${mappingText(entry)}`);
    return;
  }
  await setSecret(operatorFile(), name, { ...source, ...more });
  note(`wrote into ${operatorFile()}: ${name} is ${what}, for ${destination} alone, used by ${user}`);
  if (before !== undefined) note(`  it was ${mappingText(before)}`);
}
