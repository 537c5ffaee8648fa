import { works, writeObjects, type Work } from "./work.ts";

/** One piece of work in a process of its own, so that no heap holds another's. argv: which, of how many sandboxes, a file. */
const [work = "", size = "", file = ""] = process.argv.slice(2);
if (work === "objects") writeObjects(Number(size), file);
else process.stdout.write(JSON.stringify(await works[work as Work](Number(size), file)));
