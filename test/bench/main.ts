import { ask } from "./ask.ts";
import { connect } from "./connect.ts";
import { enforce } from "./enforce.ts";
import { launcher } from "./launcher.ts";
import { memory } from "./memory.ts";
import { run } from "./run.ts";
import { suite } from "./suite.ts";
import { up } from "./up.ts";

/** `npm run bench [-- NAME… --json]`: what Nacre costs, beside a peer or a floor of the same run. */
await suite([launcher, run, memory, connect, enforce, up, ask], "times: p50 (p95)");
