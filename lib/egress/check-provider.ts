import { NacreError } from "../error.ts";
import { readGrants } from "../policy/guard.ts";
import type { Provider } from "../router/config.ts";
import { demoModel } from "../router/demo.ts";
import { RouterFailure } from "../router/failure.ts";
import { Router } from "../router/router.ts";
import { OwnAddresses } from "./own-addresses.ts";
import type { Grant } from "./protocol.ts";
import { Resolver } from "./resolve.ts";
import { trustedAuthorities } from "./trust.ts";
import { Upstreams } from "./upstreams.ts";

export interface ProviderCheck {
  /** Its name in the blueprint. */
  readonly name: string;
  readonly provider: Provider;
  /** The value of its credential, where it names one. */
  readonly secret?: string | undefined;
  readonly grants: readonly Grant[];
  readonly timeoutSeconds: number;
}

/**
 * One live call to an inference provider from this process, before any sandbox: the same guard, trust and dialect as
 * the router's. Throws a `NacreError` that says what is wrong (name, address, TLS, credential, model, dialect, time)
 * and the fix.
 */
export async function checkProvider(check: ProviderCheck): Promise<void> {
  const { name, provider, secret, timeoutSeconds } = check;
  const upstreams = new Upstreams(new Resolver(), new OwnAddresses(), readGrants(check.grants));
  const secrets =
    provider.credential === undefined || secret === undefined ? {} : { [provider.credential]: secret };
  const router = new Router({
    inference: { route: { try: [name], timeoutSeconds }, providers: { [name]: provider }, secrets },
    dial: async (where, signal) => await upstreams.connect(where, signal),
    trust: trustedAuthorities(process.env),
    isGranted: (where) => upstreams.isGranted(where),
    demo: demoModel,
    blocked: () => undefined,
  });
  try {
    await router.check(AbortSignal.timeout(timeoutSeconds * 1000));
  } catch (error) {
    if (!(error instanceof RouterFailure)) throw error;
    const { code, message, hint } = error.answer;
    throw new NacreError({ code, subject: `inference provider ${name}`, message, hint }, { cause: error });
  } finally {
    router.close();
  }
}
