import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NacreError } from "../../lib/error.ts";
import { loadBlueprint, loadGateway, loadOverlay } from "../../lib/pulumi/blueprint-file.ts";
import { catalogue, header } from "../blueprint/fixtures.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nacre-blueprint-"));
  mkdirSync(join(root, "team/stacks"), { recursive: true });
  writeFileSync(join(root, "team/Pulumi.yaml"), "name: team\n");
  writeFileSync(join(root, "team/policy.yaml"), "version: 1\n");
  writeFileSync(join(root, "secret.yaml"), "hunter2: 1\n");
});
afterEach(() => rmSync(root, { recursive: true }));

function load(policy: string): ReturnType<typeof loadBlueprint> {
  const file = join(root, "team/stacks/blueprint.yaml");
  writeFileSync(file, `${header}agents:\n  a: { kit: openclaw, policy: ${policy} }\n`);
  return loadBlueprint(file, catalogue);
}

const refusal = (action: () => unknown): NacreError => {
  try {
    action();
  } catch (error) {
    if (error instanceof NacreError) return error;
    throw error;
  }
  throw new Error("it was not refused");
};

test("reads a file of the same repository, also above the blueprint", () => {
  expect(load("../policy.yaml").agents["a"]?.policy).toEqual({ version: 1 });
});

test.for([
  ["outside by its path", "../../secret.yaml", "it lies outside the repository"],
  ["outside through a link", "link.yaml", "it lies outside the repository"],
  ["that is not there", "none.yaml", "there is no such file"],
  ["that is a folder", "..", "it is no file"],
])("refuses a file %s, and shows nothing of it", ([, path, reason]) => {
  symlinkSync(join(root, "secret.yaml"), join(root, "team/stacks/link.yaml"));
  const error = refusal(() => load(path!));
  expect(error.subject).toBe(`${join(root, "team/stacks/blueprint.yaml")}:5:31`);
  expect(error.message).toBe(`agents.a.policy: cannot be read: ${reason!}`);
  expect(JSON.stringify(error)).not.toContain("hunter2");
});

test("refuses a file that is too large before reading it", () => {
  writeFileSync(join(root, "team/policy.yaml"), `version: 1 #${"x".repeat(1024 * 1024)}`);
  expect(refusal(() => load("../policy.yaml")).message).toContain("it is larger than 1 MiB");
});

test("says which blueprint is missing", () => {
  const file = join(root, "team/none.yaml");
  expect(refusal(() => loadBlueprint(file, catalogue))).toMatchObject({
    code: "file_unreadable",
    subject: file,
    hint: expect.stringContaining("nacre:blueprint, relative to Pulumi.yaml"),
  });
});

test("a file of a gateway or an overlay that is not there is no matter of the blueprint's folder", () => {
  expect(refusal(() => loadGateway("none.yaml")).hint).toBe("name one that is there: --gateway FILE");
  expect(refusal(() => loadOverlay("none.yaml")).hint).toContain("--overlay FILE, or nacre:overlay");
});
