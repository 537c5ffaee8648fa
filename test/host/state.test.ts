import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { claimMachineId, machineId } from "../../lib/host/machine.ts";
import { lockState } from "../../lib/host/daemon-lock.ts";
import { privateFolder, readJson, writeJson } from "../../lib/host/state.ts";
import { temporaryFolder } from "./folder.ts";

const schema = z.strictObject({ value: z.int() });

test("what is written is 0600, whole, and leaves nothing beside it", async () => {
  const path = join(temporaryFolder(), "file.json");
  await Promise.all([1, 2, 3, 4].map((value) => writeJson(path, { value })));
  expect([1, 2, 3, 4]).toContain((await readJson(path, schema))?.value);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(path, ".."))).toEqual(["file.json"]);
});

test.each([
  ["", "Unexpected end"],
  ['{"value":', "JSON"],
  ['{"value":"1"}', "value"],
  ['{"value":1,"more":2}', "more"],
])("a corrupt file %j is an error that names it, never an empty default", async (text, reason) => {
  const path = join(temporaryFolder(), "file.json");
  writeFileSync(path, text);
  await expect(readJson(path, schema)).rejects.toMatchObject({
    code: "state_corrupt",
    subject: path,
    message: expect.stringContaining(reason),
  });
});

test("a link or a folder where a file should be is an error, and is not followed", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "elsewhere"), '{"value":1}');
  symlinkSync("elsewhere", join(folder, "link.json"));
  mkdirSync(join(folder, "folder.json"));
  await expect(readJson(join(folder, "link.json"), schema)).rejects.toMatchObject({ code: "state_corrupt" });
  await expect(readJson(join(folder, "folder.json"), schema)).rejects.toMatchObject({
    code: "state_corrupt",
  });
  expect(await readJson(join(folder, "none.json"), schema)).toBeUndefined();
});

test("a state directory that others may enter is refused", async () => {
  const folder = join(temporaryFolder(), "state");
  await privateFolder(folder);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const mode of [0o755, 0o750, 0o710, 0o770, 0o701, 0o702]) {
    chmodSync(folder, mode);
    await expect(privateFolder(folder), mode.toString(8)).rejects.toMatchObject({
      code: "state_open",
      hint: `chmod 700 ${folder}`,
    });
  }
});

test("a machine's id is made once, also when many ask at once", async () => {
  const folder = temporaryFolder();
  expect(await machineId(folder)).toBeUndefined();
  const ids = await Promise.all(Array.from({ length: 8 }, () => claimMachineId(folder)));
  expect(new Set(ids).size).toBe(1);
  expect(await machineId(folder)).toBe(ids[0]);
  expect(readdirSync(folder)).toEqual(["machine"]);
  writeFileSync(join(folder, "machine"), "");
  await expect(machineId(folder)).rejects.toMatchObject({ code: "state_corrupt" });
});

test("a state directory has one daemon at a time", () => {
  const folder = temporaryFolder();
  const first = lockState(folder);
  expect(first).toBeDefined();
  expect(lockState(folder)).toBeUndefined();
  first?.release();
  const second = lockState(folder);
  expect(second).toBeDefined();
  second?.release();
  expect(readFileSync(join(folder, "daemon.lock"))).toHaveLength(0);
});
