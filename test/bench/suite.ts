import { parseArgs } from "node:util";
import { machine, machineLine, table, type Bench, type Row } from "./report.ts";

/**
 * Carries benches out one after the other and prints one table; `NAME…` or `--only NAME` chooses, `--json` is for
 * scripts, `--quick` takes the small sizes of those that have some. A missed goal is shown, and fails nothing: times are
 * the machine's too. The exit code is 1 where a bench could not be carried out, 2 for a name that is none.
 * @param remark what holds for every row
 */
export async function suite(benches: readonly Bench[], remark: string): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string", multiple: true, default: [] },
    },
    allowPositionals: true,
  });
  const wanted = [...positionals, ...values.only];
  const unknown = wanted.filter((name) => !benches.some((bench) => bench.name === name));
  if (unknown.length > 0) {
    process.stderr.write(
      `error: no bench ${unknown.join(", ")}\n  fix: ${benches.map(({ name }) => name).join(", ")}\n`,
    );
    process.exit(2);
  }
  const before = machine();
  const rows: Row[] = [];
  const failures: { bench: string; error: string }[] = [];
  for (const { name, rows: measure } of benches) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    process.stderr.write(`bench ${name} …\n`);
    try {
      for await (const row of measure(values)) rows.push(row);
    } catch (error) {
      const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
      failures.push({ bench: name, error: said });
    }
  }
  const here = { ...machine(), loadBefore: before.load };
  const heading = `${machineLine(here)} (${before.load} before)\n${remark}\n`;
  if (values.json)
    process.stdout.write(`${JSON.stringify({ machine: here, remark, rows, failures }, null, 2)}\n`);
  else process.stdout.write(`${heading}\n${table(rows)}\n`);
  for (const { bench, error } of failures)
    process.stderr.write(`bench ${bench} could not be carried out: ${error}\n`);
  if (failures.length > 0) process.exitCode = 1;
}
