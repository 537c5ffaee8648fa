import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { users } from "../host/machine.ts";
import { runner } from "./runner.ts";

describe.each(users)("nacre run --apply beside a person who works in the folder, as %s", (user) => {
  const { folder, start, outside, checkout } = runner(user);
  const at = (path: string): string => join(folder, path);
  beforeEach(checkout);

  test.each([
    ["changed what it changed", "echo person > changed", "echo agent > changed"],
    ["changed what it deleted", "echo person > deleted", "rm deleted"],
    ["deleted what it changed", "rm changed", "echo agent > changed"],
    ["deleted what it deleted", "rm deleted", "rm deleted"],
    ["made what it made", "echo person > new", "echo agent > new"],
    ["replaced what it changed", "echo person > t; mv t changed", "echo agent > changed"],
    ["added to a folder that it deleted", "echo person > gone/person", "rm -r gone"],
    ["added to a folder that it made again", "echo person > again/person", "rm -r again; mkdir again"],
    ["moved a folder into one that it deleted", "mv again gone/again", "rm -r gone"],
    ["moved a folder to where it made one", "mv again/deep bare/new", "mkdir bare/new"],
    ["changed the mode of what it changed", "chmod 700 changed", "echo agent > changed"],
  ])("a person who has %s in the meantime: a conflict, and nothing is lost", async (_, person, agent) => {
    const before = `find . -path ./.git -prune -o -printf '%p %m %l %s\\n' | sort; cat changed deleted 2>/dev/null || true`;
    // The command says when it has begun, and waits for the person.
    const child = start(
      "run",
      "--apply",
      "--",
      "bash",
      "-c",
      `${agent}; echo plain > plain; echo ready; read go`,
    );
    let said = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
    const closed = once(child, "close");
    await once(child.stdout ?? child, "data");
    await outside(person);
    const left = await outside(before);
    child.stdin?.end("go\n");
    const [code] = (await closed) as [number];
    expect(said).toContain("conflict: ");
    expect(said).toContain("nothing was applied");
    expect(code).toBe(1);
    expect(await outside(before)).toBe(left);
  });

  test("a person who works beside it is in no one's way", async () => {
    const child = start("run", "--apply", "--", "bash", "-c", "echo agent > changed; echo ready; read go");
    const closed = once(child, "close");
    await once(child.stdout ?? child, "data");
    writeFileSync(at("private"), "person");
    child.stdin?.end("go\n");
    expect(await closed).toEqual([0, null]);
    expect(readFileSync(at("changed"), "utf8")).toBe("agent\n");
    expect(readFileSync(at("private"), "utf8")).toBe("person");
  });
});
