import { join } from "node:path";
import { libraryIn } from "./library.ts";
import { type Result, resultsOf } from "./suite.ts";

/** `npm run conformance [-- LIB]`: counts by file; what is wrong, and 1, where anything is. */
const results = resultsOf(await libraryIn(process.argv[2] ?? join(import.meta.dirname, "../../lib")));
const byFile = new Map<string, Result[]>();
for (const result of results) byFile.set(result.file, [...(byFile.get(result.file) ?? []), result]);
for (const [file, all] of byFile) {
  const wrong = all.filter((one) => one.wrong !== undefined);
  console.log(
    `${String(all.length - wrong.length).padStart(4)} of ${String(all.length).padStart(4)}  ${file}`,
  );
  for (const { name, wrong: how } of wrong) console.log(`      ${name}\n        ${how ?? ""}`);
}
const wrong = results.filter((one) => one.wrong !== undefined).length;
console.log(`${results.length - wrong} of ${results.length} cases hold`);
process.exitCode = wrong === 0 ? 0 : 1;
