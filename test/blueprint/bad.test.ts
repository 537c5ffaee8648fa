import { readdirSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import { examineBlueprint, parseBlueprint } from "../../lib/blueprint/index.ts";
import { NacreError } from "../../lib/error.ts";
import { catalogue, header, reading } from "./fixtures.ts";

interface Case {
  readonly name: string;
  readonly text?: string;
  readonly whole?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly problems: readonly {
    readonly file?: string;
    readonly at: string;
    readonly path: string;
    readonly reason: string;
    readonly fix: string;
    readonly nearest?: string;
  }[];
}

const folder = "test/blueprint/bad";
for (const file of readdirSync(folder).sort()) {
  const cases = parse(readFileSync(`${folder}/${file}`, "utf8")) as readonly Case[];
  describe(file, () => {
    test.for(cases)("refuses $name", (bad) => {
      const text = bad.whole ?? header + (bad.text ?? "");
      const sources = { file: "blueprint.yaml", read: reading(bad.files), catalogue };
      const { blueprint, problems } = examineBlueprint(text, sources);
      expect(blueprint).toBeUndefined();
      const place = (problem: { file: string; line: number; column: number; path: string }): string =>
        `${problem.file}:${problem.line}:${problem.column} ${problem.path}`;
      const found = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
      expect(found.map(place).join("\n")).toBe(
        bad.problems
          .map((wanted) => `${wanted.file ?? "blueprint.yaml"}:${wanted.at} ${wanted.path}`)
          .join("\n"),
      );
      for (const [index, wanted] of bad.problems.entries()) {
        expect(found[index]!.reason).toContain(wanted.reason);
        expect(found[index]!.fix).toContain(wanted.fix);
        expect(found[index]!.nearest).toBe(wanted.nearest);
        expect(found[index]!.fix).not.toBe("");
      }
      expect(() => parseBlueprint(text, sources)).toThrow(NacreError);
    });
  });
}
