import { suite } from "../suite.ts";
import { preview } from "./preview.ts";
import { synthesis } from "./synthesis.ts";

/** `npm run bench:synth [-- --only NAME --quick --json]`: many sandboxes, beside programs that hold the finished objects. */
await suite(
  [synthesis, preview],
  "CPU time (which what else the machine does changes least), peak heap; every measurement in a process of its own, its modules loaded before. " +
    "Peers are cdk8s and @pulumi/kubernetes alone, given the very objects that Nacre makes",
);
