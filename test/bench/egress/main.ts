import { suite } from "../suite.ts";
import { connect } from "./connect.ts";
import { decision } from "./decision.ts";
import { http } from "./http.ts";
import { reload } from "./reload.ts";
import { tls } from "./tls.ts";

/** `npm run bench:egress [-- --only NAME --json]`: the egress beside proxies of others, in the same run. */
await suite(
  [connect, http, tls, decision, reload],
  "times: p50 (p95, or p99 where a note says so). Clients, proxies and origins share these cores. Network namespaces of this machine only; " +
    "the egress runs without the walls that the launcher puts round it",
);
