import { setSecret } from "../host/operator-edit.ts";
import { operatorFile } from "../host/paths.ts";
import { vendorEndpoints } from "../router/target.ts";
import { note } from "./output.ts";

/** Where NVIDIA Endpoints answer; the only host that its key may go to. */
export const nvidiaHost = new URL(vendorEndpoints.nvidia).hostname;

/** Where a key comes from. */
export type KeySource = { readonly env: string } | { readonly file: string };

/** Says on this machine what a provider's credential means, for one sandbox, and says what was written. */
export async function mapKey(
  name: string,
  source: KeySource,
  destination: string,
  user: string,
): Promise<void> {
  await setSecret(operatorFile(), name, { ...source, for: [destination], use: [user] });
  const what = "env" in source ? `${source.env} of your environment` : `the file ${source.file}`;
  note(`wrote into ${operatorFile()}: ${name} is ${what}, for ${destination} alone, used by ${user}`);
}
