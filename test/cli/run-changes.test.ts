import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { users } from "../host/machine.ts";
import { runner } from "./runner.ts";

describe.each(users)("what nacre run brings out of a git checkout, as %s", (user) => {
  const { folder, base, nacre, outside, checkout } = runner(user);
  const at = (path: string): string => join(folder, path);
  beforeEach(checkout);

  const work = `set -e
printf '1\\ntwo\\n3\\n' > changed; rm deleted; mv moved 'moved "elsewhere"'; rm -r again; mkdir again; echo new > again/new
rm link; ln -s again/new link; echo more >> private; chmod +x script; rm -r gone; echo file > gone
mkdir -p added/deep; echo added > added/deep/file; : > added/empty; head -c 4000 /dev/zero > added/binary`;

  test("added, changed, deleted and renamed files, a folder made again: the right diff, which git applies too", async () => {
    const patch = join(base, "all.patch");
    const done = await nacre("run", "--patch", patch, "--", "bash", "-c", work);
    expect(done.err).toContain("6 added, 4 changed, 5 deleted, 2 folders deleted");
    expect(done.code).toBe(0);
    expect(await outside("git status --short")).toBe("");
    expect(done.err).toContain("-2\n+two\n");
    expect(done.err).toContain("new file added/binary, 4000 bytes");
    // What git makes of the patch, and what Nacre applies, is one and the same.
    await outside(
      `git apply ${patch}; cp -a . ${base}/by-git; git checkout -q .; git clean -fdq; chmod 600 private`,
    );
    const applied = await nacre("run", "-q", "--apply", "--", "bash", "-c", work);
    expect(applied.err).toContain("applied to");
    expect(applied.code).toBe(0);
    rmSync(at("added/binary"));
    expect(
      await outside(`diff -r --no-dereference -x .git . ${base}/by-git; rm -r ${base}/by-git; echo same`),
    ).toBe("same\n");
    expect(
      await outside("stat -c '%a %n' private script added/deep/file changed; readlink link; cat gone"),
    ).toBe("600 private\n755 script\n644 added/deep/file\n644 changed\nagain/new\nfile\n");
    expect(
      await outside("stat -c %u private added added/deep/file | sort -u; ls -A | grep nacre || true"),
    ).toBe(await outside("id -u"));
  });

  test("hooks, configuration and look-alike repositories stay inside, and nothing of them runs outside", async () => {
    const evil = `touch ${base}/ran`;
    const script = `
echo '${evil}' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git config core.fsmonitor '${evil}'
mv .git .git2 2>/dev/null && mkdir .git && printf '[core]\\nfsmonitor = "${evil}"\\n' > .git/config
git init -q look; git -C look config core.fsmonitor '${evil}'; git init -q --bare like.d; git -C like.d config core.fsmonitor '${evil}'
echo 'ref: refs/heads/main' > bare/HEAD; printf '[core]\\nfsmonitor = "${evil}"\\n' > bare/config
mkdir worktree; echo 'ref: refs/heads/main' > worktree/HEAD; echo ../like.d > worktree/commondir
mkdir deep; echo 'gitdir: ../like.d' > deep/.git; ln -s like.d deep/.GIT; mkfifo pipe; echo plain > plain; exit 0`;
    const done = await nacre("run", "--apply", "--", "bash", "-c", script);
    expect(done).toMatchObject({ code: 0 });
    for (const path of [".git", "look/.git", "like.d", "bare", "worktree", "deep/.git", "deep/.GIT", "pipe"])
      expect(done.err).toContain(`left inside: ${path}:`);
    await outside(
      "git status; cd bare && git status || true; cd ../like.d 2>/dev/null && git status || true",
    );
    expect(existsSync(join(base, "ran"))).toBe(false);
    // `.git2` is what the agent's own `mv` made of it: a folder that git would take for a repository.
    expect(readdirSync(folder).sort()).toEqual(
      [
        ".git",
        ".gitignore",
        "again",
        "bare",
        "changed",
        "deleted",
        "gone",
        "link",
        "moved",
        "plain",
        "private",
        "script",
      ].sort(),
    );
    expect(readdirSync(at("bare")).sort()).toEqual(["objects", "refs"]);
    expect(await outside("git fsck 2>&1; git status --short")).toBe("?? plain\n");
  });

  test("a command that fails changes nothing", async () => {
    const done = await nacre("run", "--apply", "--", "sh", "-c", "echo x > changed; exit 3");
    expect(done.code).toBe(3);
    expect(done.err).toContain("the command failed: nothing was applied");
    expect(await outside("git status --short")).toBe("");
  });
});
