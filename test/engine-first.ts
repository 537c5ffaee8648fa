import { cacheDirectory } from "../lib/host/paths.ts";
import { findEngine } from "../lib/pulumi/engine.ts";

/** Obtains the engine once, before test files that need it do so side by side: compiling it takes minutes. */
export async function setup(): Promise<void> {
  let said = 0;
  const onProgress = ({ message }: { readonly message: string }): void => {
    if (Date.now() - said < 10_000) return;
    said = Date.now();
    process.stderr.write(`engine: ${message}\n`);
  };
  // Where none can be had, the tests that need one say so.
  await findEngine({ cache: cacheDirectory(), onProgress }).catch(() => undefined);
}
