import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { contextOf } from "../../lib/cli/context.ts";
import { temporaryFolder } from "../host/folder.ts";

const before = process.cwd();
afterEach(() => process.chdir(before));

function inside(files: Readonly<Record<string, string>>, at: string) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, at), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  process.chdir(join(folder, at));
  return { folder, context: contextOf({ stack: "dev" }) };
}

test("Pulumi.yaml names the project, and where its state is", () => {
  const yaml = "name: team\nruntime: nodejs\nbackend: { url: file://state }\n";
  const { folder, context } = inside({ "Pulumi.yaml": yaml }, "deep/er");
  expect(context).toEqual({
    directory: folder,
    project: "team",
    stack: "dev",
    isNamed: true,
    stackFile: join(folder, "Pulumi.dev.yaml"),
    backend: `file://${folder}/state`,
  });
});

test("without one the folder of the blueprint does, so that two folders are two projects", () => {
  const { folder, context } = inside({}, "my agents!");
  const directory = join(folder, "my agents!");
  const stackFile = join(directory, "Pulumi.dev.yaml");
  expect(context).toEqual({ directory, project: "my-agents-", stack: "dev", isNamed: true, stackFile });
  mkdirSync("below");
  writeFileSync("blueprint.yaml", "");
  process.chdir("below");
  expect(contextOf({ stack: "dev" }).directory).toBe(join(folder, "my agents!"));
});

test("a stack's file is where Pulumi.yaml has them", () => {
  const { folder, context } = inside({ "Pulumi.yaml": "name: team\nstackConfigDir: stacks\n" }, ".");
  expect(context.stackFile).toBe(join(folder, "stacks/Pulumi.dev.yaml"));
});

test.each(["", "runtime: nodejs\n", "name: [a]\n"])(
  "Pulumi.yaml that says %j is an error that names it",
  (yaml) => {
    expect(() => inside({ "Pulumi.yaml": yaml }, ".")).toThrow("has no project name");
  },
);
