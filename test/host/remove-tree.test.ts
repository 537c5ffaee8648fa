import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { giveTree } from "../../lib/host/give-tree.ts";
import { emptyTrash, removeTree } from "../../lib/host/remove-tree.ts";
import { temporaryFolder } from "./folder.ts";

function hostile() {
  const folder = temporaryFolder();
  const [outside, tree, trash] = ["outside", "tree", "trash"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(outside);
  writeFileSync(join(outside, "precious"), "kept");
  mkdirSync(tree);
  symlinkSync(outside, join(tree, "out"));
  symlinkSync(join(outside, "precious"), join(tree, "file-out"));
  symlinkSync("..", join(tree, "up"));
  execFileSync("mkfifo", [join(tree, "fifo")]);
  mkdirSync(join(tree, "closed"));
  writeFileSync(join(tree, "closed", "file"), "");
  chmodSync(join(tree, "closed"), 0);
  return { outside, tree, trash };
}

test("removes links, pipes and closed folders, and nothing that a link points at", async () => {
  const { outside, tree, trash } = hostile();
  writeFileSync(Buffer.concat([Buffer.from(`${tree}/`), Buffer.from([0xff, 0x0a, 0x1b])]), "");
  await removeTree(tree, trash);
  expect(existsSync(tree)).toBe(false);
  expect(readdirSync(trash)).toEqual([]);
  expect(readdirSync(outside)).toEqual(["precious"]);
});

test("removes a tree that is deeper than any path", async () => {
  const { outside, tree, trash } = hostile();
  // Built from below, since no path reaches its end: 3000 folders of 100 characters.
  let inner = join(tree, "..", "inner0");
  await mkdir(inner);
  for (let depth = 1; depth < 3000; depth++) {
    const outer = join(tree, "..", `inner${depth}`);
    await mkdir(outer);
    await rename(inner, join(outer, "d".repeat(100)));
    inner = outer;
  }
  await rename(inner, join(tree, "deep"));
  await removeTree(tree, trash);
  expect(existsSync(tree)).toBe(false);
  expect(readdirSync(trash)).toEqual([]);
  expect(existsSync(join(outside, "precious"))).toBe(true);
});

test("finishes what was interrupted, and does nothing where there is nothing", async () => {
  const { tree, trash } = hostile();
  mkdirSync(trash);
  await rename(tree, join(trash, randomBytes(4).toString("hex")));
  await emptyTrash(trash);
  expect(readdirSync(trash)).toEqual([]);
  await removeTree(tree, trash);
  await emptyTrash(join(trash, "none"));
});

test.runIf(process.getuid?.() === 0)(
  "as root (nobody else can give a file away), a tree changes its owner without a link being followed",
  async () => {
    const { outside, tree } = hostile();
    await giveTree(tree, 4321, 4321);
    expect(lstatSync(join(tree, "fifo")).uid).toBe(4321);
    expect(lstatSync(join(tree, "out")).uid).toBe(4321);
    expect(lstatSync(join(tree, "closed", "file")).uid).toBe(4321);
    expect(lstatSync(outside).uid).toBe(0);
    expect(lstatSync(join(outside, "precious")).uid).toBe(0);
  },
);
