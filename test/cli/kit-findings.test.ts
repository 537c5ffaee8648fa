import { mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { kitFindings } from "../../lib/cli/doctor-findings.ts";
import { recordKit, treeOf } from "../../lib/host/kits/kit-folder.ts";
import { temporaryFolder } from "../host/folder.ts";

test("doctor reads every byte of a kit: one that was changed and looks the same is found", async () => {
  const cache = temporaryFolder();
  const folder = join(cache, "kit-1");
  mkdirSync(join(treeOf(folder), "lib"), { recursive: true });
  const file = join(treeOf(folder), "lib/index.js");
  writeFileSync(file, "one");
  await recordKit(folder, "example@1");
  expect(await kitFindings(cache)).toMatchObject([{ name: "kit example@1", verdict: "ok" }]);
  const { atime, mtime } = statSync(file);
  writeFileSync(file, "two");
  utimesSync(file, atime, mtime);
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(await kitFindings(cache)).toMatchObject([
    { name: "kit example@1", verdict: "missing", found: "lib/index.js is not as it was installed" },
  ]);
});

test("without an installed kit there is nothing to read", async () => {
  expect(await kitFindings(join(temporaryFolder(), "none"))).toEqual([]);
});
