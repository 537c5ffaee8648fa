import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Wall } from "../../lib/host/launch-spec.ts";
import { World } from "../egress/world/world.ts";
import { users } from "../host/machine.ts";
import { hostRows } from "./attack/host-rows.ts";
import { lookups, networkRows } from "./attack/network-rows.ts";
import { gets } from "./attack/programs.ts";
import type { Row } from "./attack/rows.ts";
import { furnish, stage, type Stage } from "./attack/stage.ts";

/**
 * Real programs inside a sandbox that the product brought up try each forbidden thing, and a capture of every packet on
 * the host sees nothing of it. The same words without the walls do it, so what refuses is a wall and no accident.
 */
const rows: readonly Row[] = [...hostRows, ...networkRows];

/** Those of the launcher's walls that a sandbox can lack and still be brought up by the product, for any user. */
const lacking: readonly (readonly Wall[])[] = [
  ["network"],
  ["syscalls"],
  ["files"],
  ["network", "syscalls"],
  ["network", "files"],
];

let world: World;
beforeAll(async () => {
  world = await World.make();
  await furnish(world);
});
afterAll(() => world.stop());

/** `done` where the program printed what only success prints. */
const outcome = (row: Row, stdout: string): "done" | "refused" =>
  row.done.test(stdout) ? "done" : "refused";
/** Each attempt of a row, by number and program. */
type Outcomes = Record<string, unknown>;

describe.each(users)("as %s", (user) => {
  describe("behind every wall", () => {
    let here: Stage;
    beforeAll(async () => {
      here = await stage(world, user, []);
    });
    afterAll(() => here.strike());

    test.each(rows)("refused, and no packet leaves: $what", async (row) => {
      const [results, expected]: [Outcomes, Outcomes] = [{}, {}];
      for (const [index, { program, argv }] of row.attempts(here.outside, here.inside).entries()) {
        const { stdout } = await here.run(argv);
        const left = (await here.wire.since()).filter((line) => !lookups.test(line));
        results[`${index} ${program}`] = { outcome: outcome(row, stdout), left };
        expected[`${index} ${program}`] = { outcome: "refused", left: [] };
      }
      expect(results).toEqual(expected);
    });

    test("nothing of it was written outside", () => {
      expect(readdirSync(here.open)).toEqual([]);
    });

    test.each(rows.filter(({ who }) => who !== "nobody"))(
      "the same words beside the sandbox do it, and are seen: $what",
      async (row) => {
        const [results, expected]: [Outcomes, Outcomes] = [{}, {}];
        for (const [index, { program, argv }] of row.attempts(here.outside, here.beside).entries()) {
          await here.wire.since();
          const { stdout, stderr } = await here.runBeside(argv, row.who === "root" ? "root" : "caller");
          const seen = (await here.wire.since()).length > 0;
          results[`${index} ${program}`] = {
            outcome: outcome(row, stdout),
            seen,
            ...(row.done.test(stdout) ? {} : { stderr }),
          };
          expected[`${index} ${program}`] = { outcome: "done", seen: row.packets === true };
        }
        expect(results).toEqual(expected);
      },
    );

    test.each(["http", "https"])(
      "an allowed host answers each program over %s, and is seen",
      async (scheme) => {
        const results: Outcomes = {};
        const attempts = gets("allowed.example.com", scheme === "http" ? 80 : 443, scheme);
        for (const { program, argv } of attempts) {
          await here.wire.since();
          const { stdout, stderr } = await here.run(argv);
          const answered = /(plain|allowed\.example\.com) at \S+|from the repository/.test(stdout);
          const seen = (await here.wire.since()).some((line) => line.startsWith("tcp "));
          results[program] = answered ? { seen } : { stderr };
        }
        expect(results).toEqual(Object.fromEntries(attempts.map(({ program }) => [program, { seen: true }])));
      },
    );
  });

  describe.each(lacking.map((off) => ({ off })))("with $off off", ({ off }) => {
    let here: Stage;
    beforeAll(async () => {
      here = await stage(world, user, off);
    });
    afterAll(() => here.strike());

    const concerned = rows.filter(({ walls }) => walls.some((wall) => off.includes(wall)));
    test.each(
      concerned.map((row) => ({
        row,
        what: row.what,
        left: row.walls.filter((wall) => !off.includes(wall)),
      })),
    )("$what: what is left of its walls is $left", async ({ row, left }) => {
      const [results, expected]: [Outcomes, Outcomes] = [{}, {}];
      for (const [index, { program, argv }] of row.attempts(here.outside, here.inside).entries()) {
        await here.wire.since();
        const { stdout, stderr } = await here.run(argv);
        const seen = row.packets === true && (await here.wire.since()).length > 0;
        const [found, wanted] = [outcome(row, stdout), left.length === 0 ? "done" : "refused"];
        results[`${index} ${program}`] = {
          outcome: found,
          ...(found === "done" ? { seen } : {}),
          ...(found === wanted ? {} : { stderr }),
        };
        expected[`${index} ${program}`] = {
          outcome: wanted,
          ...(wanted === "done" ? { seen: row.packets === true } : {}),
        };
      }
      expect(results).toEqual(expected);
    });
  });
});
