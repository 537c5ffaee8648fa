import { setSecret } from "../host/operator-edit.ts";
import { operatorFile } from "../host/paths.ts";
import { note } from "./output.ts";

/** Where NVIDIA Endpoints answer; the only host that its key may go to. */
export const nvidiaHost = "integrate.api.nvidia.com";

/** Says on this machine what `credential: nvidia` means, for one sandbox, and says what was written. */
export async function mapNvidiaKey(
  source: { readonly env: string } | { readonly file: string },
  user: string,
): Promise<void> {
  await setSecret(operatorFile(), "nvidia", { ...source, for: [nvidiaHost], use: [user] });
  const what = "env" in source ? `${source.env} of your environment` : `the file ${source.file}`;
  note(`wrote into ${operatorFile()}: nvidia is ${what}, for ${nvidiaHost} alone, used by ${user}`);
}
