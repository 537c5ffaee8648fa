import { NacreError } from "./error.ts";

/** Imported first: a program of a team runs with whatever Node is on PATH, and an older one fails with riddles. */
const major = Number(process.versions.node.split(".")[0]);
if (major < 24)
  throw new NacreError({
    code: "node_too_old",
    subject: `Node ${process.versions.node}`,
    message: "is too old for a program that uses nacre, which needs 24",
    hint: "the package brings one: PATH=$PWD/node_modules/.bin:$PATH pulumi up",
  });
