import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { once } from "./launcher.ts";
import { everyone, place, type Place } from "./place.ts";
import { sandboxSpec } from "./spec.ts";

describe.each(everyone)("an overlay of a folder, launched by %s", (as) => {
  let here: Place;
  let base: string;
  beforeAll(() => {
    here = place(as);
    // A real file system: an overlay on tmpfs would prove less. Colons and commas mean something to the kernel.
    base = mkdtempSync("/var/tmp/nacre:overlay,");
  });
  afterAll(() => {
    // The kernel leaves a folder of its own in the working layer, which nobody may enter.
    execFileSync("chmod", ["-R", "u+rwx", base]);
    rmSync(base, { recursive: true, force: true });
    here.dispose();
  });

  test("the agent changes what it sees; the folder stays as it is, and the upper layer holds the changes", async () => {
    const lower = join(base, "lower");
    const own = (path: string): string => {
      chownSync(path, here.caller.uid, here.caller.gid);
      return path;
    };
    chownSync(base, here.caller.uid, here.caller.gid);
    mkdirSync(own(mkdir(lower)) + "/folder", { mode: 0o700 });
    own(join(lower, "folder"));
    for (const [name, text] of Object.entries({
      kept: "kept",
      changed: "old",
      deleted: "x",
      "folder/in": "in",
    })) {
      writeFileSync(join(lower, name), text, { mode: 0o600 });
      own(join(lower, name));
    }
    const socket = join(lower, "socket");
    const server = createServer(() => undefined).listen(socket);
    await new Promise((resolve) => server.once("listening", resolve));
    execFileSync("chmod", ["777", socket]);
    const [upper, work] = [mkdir(join(base, "upper")), mkdir(join(base, "work"))];
    for (const path of [upper, work]) chownSync(path, here.outside.uid, here.outside.gid);
    const script = `set -e
cd /sandbox/project
stat -c %u kept changed folder | sort -u
cat kept changed folder/in; echo
echo new > changed; rm deleted; echo added > added; mv kept moved; rm -r folder; mkdir folder; echo again > folder/again
python3 -c 'import socket
try: socket.socket(socket.AF_UNIX).connect("socket"); print("reached")
except OSError as error: print(type(error).__name__)'
find . -type f | sort`;
    const spec = sandboxSpec(here, "overlay", ["bash", "-c", script]);
    const overlay = { at: "/sandbox/project", lower, upper, work };
    const ended = await once(here, { ...spec, root: { ...spec.root, overlay } });
    server.close();
    expect(ended).toEqual({
      code: 0,
      signal: null,
      out: "1000\nkeptoldin\nConnectionRefusedError\n./added\n./changed\n./folder/again\n./moved\n",
      error: "",
    });
    expect(readdirSync(lower).sort()).toEqual(
      ["changed", "deleted", "folder", "kept"].concat(existsSync(socket) ? ["socket"] : []).sort(),
    );
    expect(readFileSync(join(lower, "changed"), "utf8")).toBe("old");
    expect(readFileSync(join(upper, "changed"), "utf8")).toBe("new\n");
    expect(lstatSync(join(upper, "added")).uid).toBe(here.outside.uid);
    // A deletion is a whiteout: a character device 0:0.
    expect(lstatSync(join(upper, "deleted")).isCharacterDevice()).toBe(true);
  });
});

function mkdir(path: string): string {
  mkdirSync(path, { mode: 0o755 });
  return path;
}
