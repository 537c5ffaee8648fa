import { ESLint } from "eslint";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

/** A copy of the lint settings over a tree of empty modules, so that no wrong import stands in the real one. */
const root = mkdtempSync(join(tmpdir(), "nacre-layers-"));
const eslint = (): ESLint =>
  new ESLint({ cwd: root, overrideConfigFile: join(root, ".config/eslint.config.js") });

const write = (path: string, text: string): void => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};

const wrong: readonly [string, string][] = [
  ["policy", "blueprint/module.ts"],
  ["blueprint", "constructs/module.ts"],
  ["blueprint", "host/module.ts"],
  ["constructs", "synth/module.ts"],
  ["constructs", "host/module.ts"],
  ["constructs", "pulumi/module.ts"],
  ["synth", "host/module.ts"],
  ["synth", "pulumi/module.ts"],
  ["router", "egress/module.ts"],
  ["egress", "host/module.ts"],
  ["host", "constructs/module.ts"],
  ["host", "synth/module.ts"],
  ["provider", "pulumi/module.ts"],
  ["pulumi", "cli/module.ts"],
];
const right: readonly [string, string][] = [
  ["blueprint", "policy/module.ts"],
  ["constructs", "blueprint/module.ts"],
  ["synth", "constructs/module.ts"],
  ["host", "synth/host-objects.ts"],
  ["provider", "host/module.ts"],
  ["pulumi", "synth/module.ts"],
  ["cli", "pulumi/module.ts"],
  ["constructs", "error.ts"],
];
const impure: readonly [string, string][] = [
  ["policy", "node:net"],
  ["blueprint", "node:fs"],
  ["constructs", "node:fs/promises"],
  ["synth", "node:child_process"],
];

beforeAll(() => {
  cpSync(".config", join(root, ".config"), { recursive: true });
  cpSync("tsconfig.json", join(root, "tsconfig.json"));
  symlinkSync(join(process.cwd(), "node_modules"), join(root, "node_modules"));
  write("package.json", '{ "type": "module" }');
  const modules = new Set([...wrong, ...right].flatMap(([from, to]) => [`${from}/module.ts`, to]));
  for (const path of modules) write(`lib/${path}`, "export const value = 1;\n");
  for (const [from, to] of [...wrong, ...right]) {
    write(`lib/${from}/imports-${name(to)}.ts`, `export { value } from "../${to}";\n`);
  }
  for (const [from, to] of impure) write(`lib/${from}/imports-${name(to)}.ts`, `export * from "${to}";\n`);
});
afterAll(() => rmSync(root, { recursive: true }));

const name = (path: string): string => path.replaceAll(/[^a-z]/g, "-");

async function rulesBrokenBy([from, to]: readonly [string, string]): Promise<string[]> {
  const [result] = await eslint().lintFiles([`lib/${from}/imports-${name(to)}.ts`]);
  return result!.messages.map((message) => message.ruleId ?? message.message);
}

test.for(wrong)("lib/%s may not import %s", async (edge) => {
  expect(await rulesBrokenBy(edge)).toEqual(["import-x/no-restricted-paths"]);
});

test.for(right)("lib/%s may import %s", async (edge) => {
  expect(await rulesBrokenBy(edge)).toEqual([]);
});

test.for(impure)("lib/%s may not do input or output with %s", async (edge) => {
  expect(await rulesBrokenBy(edge)).toEqual(["no-restricted-imports"]);
});
