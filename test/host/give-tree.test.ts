import { chmodSync, lstatSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { giveTree } from "../../lib/host/give-tree.ts";
import { temporaryFolder } from "./folder.ts";

test.runIf(process.getuid?.() === 0)(
  "as root (nobody else can give a file away), a tree is given whole, and nothing that a link in it points at",
  async () => {
    const base = temporaryFolder();
    const [tree, outside] = [join(base, "tree"), join(base, "outside")];
    for (const path of [tree, join(tree, "deep"), outside]) mkdirSync(path);
    for (const path of [join(tree, "deep/file"), join(outside, "file")]) writeFileSync(path, "x");
    chmodSync(join(tree, "deep/file"), 0o6755);
    const links = { folder: outside, file: join(outside, "file"), dangling: join(base, "nothing") };
    for (const [name, to] of Object.entries(links)) symlinkSync(to, join(tree, name));
    await giveTree(tree, 4242, 4243);
    const owner = (path: string): number[] => [lstatSync(path).uid, lstatSync(path).gid];
    for (const path of ["", "deep", "deep/file", ...Object.keys(links)])
      expect({ path, owner: owner(join(tree, path)) }).toEqual({ path, owner: [4242, 4243] });
    for (const path of [outside, join(outside, "file")]) expect(owner(path)).toEqual([0, 0]);
    expect(statSync(join(tree, "deep/file")).mode & 0o6000).toBe(0);
  },
);
