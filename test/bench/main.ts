import { parseArgs } from "node:util";
import { ask } from "./ask.ts";
import { connect } from "./connect.ts";
import { enforce } from "./enforce.ts";
import { launcher } from "./launcher.ts";
import { memory } from "./memory.ts";
import { machine, machineLine, table, type Bench, type Row } from "./report.ts";
import { run } from "./run.ts";
import { up } from "./up.ts";

/**
 * `npm run bench [-- NAME… --json]`: what Nacre costs, beside a peer or a floor of the same run. A missed goal is shown,
 * and fails nothing: times are the machine's too. The exit code is 1 where a bench could not be carried out.
 */
const benches: readonly Bench[] = [launcher, run, memory, connect, enforce, up, ask];

const { values, positionals } = parseArgs({
  options: { json: { type: "boolean", default: false } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `error: no bench ${unknown.join(", ")}\n  fix: ${benches.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

const chosen = benches.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
const rows: Row[] = [];
const failures: { bench: string; error: string }[] = [];
for (const { name, rows: measure } of chosen) {
  process.stderr.write(`bench ${name} …\n`);
  try {
    for await (const row of measure()) rows.push(row);
  } catch (error) {
    failures.push({
      bench: name,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}

const here = machine();
if (values.json) process.stdout.write(`${JSON.stringify({ machine: here, rows, failures }, null, 2)}\n`);
else process.stdout.write(`${machineLine(here)}\ntimes: p50 (p95)\n\n${table(rows)}\n`);
for (const { bench, error } of failures)
  process.stderr.write(`bench ${bench} could not be carried out: ${error}\n`);
if (failures.length > 0) process.exitCode = 1;
