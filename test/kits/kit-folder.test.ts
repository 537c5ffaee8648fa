import {
  chmodSync,
  lstatSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { findKit, recordKit, treeOf } from "../../lib/host/kits/kit-folder.ts";
import { temporary, write } from "./folder.ts";

const tree = {
  "tree/node_modules/a/package.json": '{"version":"1.0.0"}',
  "tree/node_modules/a/index.js": "module.exports = 1;\n",
  "tree/node_modules/b/bin/cli.js": "#!/usr/bin/env node\n",
  "tree/node_modules/.bin/cli": "-> ../b/bin/cli.js",
};

async function installed() {
  const folder = join(temporary(), "kit");
  write(folder, tree);
  chmodSync(join(folder, "tree/node_modules/b/bin/cli.js"), 0o4775);
  return {
    folder,
    record: await recordKit(folder, "a@1.0.0"),
    file: (path: string) => join(folder, "tree/node_modules", path),
  };
}

describe("an installed kit", () => {
  test("is found as it was recorded", async () => {
    const { folder, record } = await installed();
    expect(record).toMatchObject({ kit: "a@1.0.0", files: 3, bytes: 59 });
    expect(await findKit(folder)).toEqual(record);
    expect(await findKit(folder, "content")).toEqual(record);
  });

  test("is nothing where nothing was installed", async () => {
    expect(await findKit(join(temporary(), "kit"))).toBeUndefined();
  });

  test("can be read by every user id, written by its owner alone, and has no set-id bits", async () => {
    const { file } = await installed();
    expect(lstatSync(file("b/bin/cli.js")).mode & 0o7777).toBe(0o755);
    expect(lstatSync(file("a/index.js")).mode & 0o7777).toBe(0o644);
    expect(lstatSync(file("b")).mode & 0o7777).toBe(0o755);
  });

  test("has the digest of its content, wherever and whenever it was installed", async () => {
    const [one, other] = [await installed(), await installed()];
    expect(one.record.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(other.record.digest).toBe(one.record.digest);
  });

  test.for([
    ["content", "tree/node_modules/a/index.js", "module.exports = 2;\n"],
    ["a name", "tree/node_modules/a/other.js", ""],
    ["a link's target", "tree/node_modules/.bin/more", "-> ../a/index.js"],
  ])("another %s is another digest", async ([, path, content]) => {
    const folder = join(temporary(), "kit");
    write(folder, { ...tree, [path ?? ""]: content ?? "" });
    expect((await recordKit(folder, "a@1.0.0")).digest).not.toBe((await installed()).record.digest);
  });

  test("copied elsewhere it is the same, which only reading it can tell", async () => {
    const { folder, record } = await installed();
    const copy = join(temporary(), "copy");
    await cp(folder, copy, { recursive: true, verbatimSymlinks: true });
    const reading = vi.fn();
    expect(await findKit(copy, "attributes", reading)).toEqual(record);
    expect(reading).toHaveBeenCalledOnce();
    expect(await findKit(copy, "attributes", reading)).toEqual(record);
    expect(reading).toHaveBeenCalledOnce();
  });

  test.for<readonly [string, string, (file: (path: string) => string) => void]>([
    ["a changed file of the same size and time", "a/index.js", sameSizeAndTime],
    ["a longer file", "a/index.js", (file) => writeFileSync(file("a/index.js"), "module.exports = 1000;\n")],
    ["a changed mode", "a/index.js", (file) => chmodSync(file("a/index.js"), 0o755)],
    ["a new file", "a/new.js", (file) => writeFileSync(file("a/new.js"), "")],
    ["a new folder", "z", (file) => mkdirSync(file("z"))],
    ["a missing file", "b/bin/cli.js", (file) => rmSync(file("b/bin/cli.js"))],
    [
      "a file that became a link",
      "a/index.js",
      (file) => {
        rmSync(file("a/index.js"));
        symlinkSync("package.json", file("a/index.js"));
      },
    ],
    [
      "a link that points elsewhere",
      ".bin/cli",
      (file) => {
        rmSync(file(".bin/cli"));
        symlinkSync("../a/index.js", file(".bin/cli"));
      },
    ],
  ])("%s is refused by name", async ([, path, change]) => {
    const { folder, file } = await installed();
    change(file);
    await expect(findKit(folder)).rejects.toMatchObject({
      code: "kit_changed",
      message: `node_modules/${path} is not as it was installed`,
    });
    await expect(findKit(folder, "content")).rejects.toMatchObject({ code: "kit_changed" });
  });

  test("a link that leads out, or a pipe, was not made by an installation", async () => {
    const { folder, file } = await installed();
    symlinkSync("../../../../etc/passwd", file("a/out"));
    await expect(findKit(folder)).rejects.toMatchObject({ code: "kit_strange" });
    rmSync(file("a/out"));
    execFileSync("mkfifo", [file("a/pipe")]);
    await expect(findKit(folder)).rejects.toMatchObject({ code: "kit_strange" });
  });

  test("its list of files is held by the digest: who changes both file and list is found", async () => {
    const { folder, file } = await installed();
    writeFileSync(file("a/index.js"), "module.exports = 2;\n");
    const other = join(temporary(), "other");
    await cp(treeOf(folder), treeOf(other), { recursive: true, verbatimSymlinks: true });
    await recordKit(other, "a@1.0.0");
    renameSync(join(other, "tree.jsonl"), join(folder, "tree.jsonl"));
    await expect(findKit(folder)).rejects.toMatchObject({ code: "kit_changed" });
  });

  test("a damaged record is an error that names it, never an empty kit", async () => {
    const { folder } = await installed();
    writeFileSync(join(folder, "kit.json"), "{");
    await expect(findKit(folder)).rejects.toMatchObject({
      code: "state_corrupt",
      subject: join(folder, "kit.json"),
    });
  });
});

/** What size, mode and modification time cannot tell, the change time does. */
function sameSizeAndTime(file: (path: string) => string): void {
  const { atime, mtime } = lstatSync(file("a/index.js"));
  writeFileSync(file("a/index.js"), "module.exports = 2;\n");
  utimesSync(file("a/index.js"), atime, mtime);
}
