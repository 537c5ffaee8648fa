import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { libraryIn } from "./library.ts";
import { type Result, resultsOf } from "./suite.ts";

/** `npm run conformance [-- LIB]`: counts by file; what is wrong, and 1, where anything is. Of another LIB all but the wire. */
const other = process.argv[2];
const results = resultsOf(await libraryIn(other ?? join(import.meta.dirname, "../../lib")));
if (other === undefined) results.push(...framing());
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

/** HTTP framing needs an egress, an agent and an origin: a test runner makes them, and says what became of each case. */
function framing(): Result[] {
  const root = join(import.meta.dirname, "../..");
  const folder = mkdtempSync(join(tmpdir(), "nacre-conformance-"));
  const report = join(folder, "report.json");
  const options = ["--reporter=json", `--outputFile=${report}`];
  const config = ["--config", ".config/vitest.conformance.config.ts"];
  const runner = join(root, "node_modules/vitest/vitest.mjs");
  const ran = spawnSync(process.execPath, [runner, "run", ...config, ...options], {
    cwd: root,
    encoding: "utf8",
  });
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
      testResults: { assertionResults: { fullName: string; status: string; failureMessages: string[] }[] }[];
    };
    const all = testResults.flatMap(({ assertionResults }) => assertionResults);
    if (all.length === 0) throw new Error(ran.stderr);
    return all.map(({ fullName, status, failureMessages: [message = status] }) => {
      const wrong = status === "passed" ? undefined : (message.split("\n")[0] ?? status);
      return { file: "http-framing.yaml", name: fullName, wrong };
    });
  } catch (error) {
    return [{ file: "http-framing.yaml", name: "the wire", wrong: String(error).slice(0, 2000) }];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
