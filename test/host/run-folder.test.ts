import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runFolder } from "../../lib/host/run-folder.ts";

const base = mkdtempSync(join(tmpdir(), "nacre-folder-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const at = (name: string): string => {
  const path = join(base, name);
  mkdirSync(path, { recursive: true });
  return path;
};
const state = at("state/nacre");
writeFileSync(join(at("keys"), "token"), "x");
const secrets = { api: { file: join(base, "keys/token"), for: ["api.example.com"], use: ["*/*"] } };
const kept = { state, operator: { file: join(at("config/nacre"), "host.yaml"), secrets } };
const refusal = (folder: string) => expect(() => runFolder(folder, kept));

test("a folder of work is shown at its real path", () => {
  const work = at("work");
  symlinkSync(work, join(base, "link"));
  expect(runFolder(join(base, "link"), kept)).toBe(work);
});

test("a home, and what holds it, is refused", () => {
  refusal(homedir()).toThrow("it is or holds your home");
  refusal(dirname(homedir())).toThrow("it is or holds your home");
  refusal("/").toThrow("it is or holds your home");
});

test("Nacre's own state and configuration are refused, around them and in them", () => {
  refusal(at("state")).toThrow("Nacre's own");
  refusal(at("state/nacre/sandboxes")).toThrow("Nacre's own");
  refusal(at("config")).toThrow("Nacre's own");
  symlinkSync(state, join(base, "disguised"));
  refusal(join(base, "disguised")).toThrow("Nacre's own");
});

test("a folder with the file of a mapped secret is refused", () => {
  refusal(at("keys")).toThrow("a mapped secret");
});

test("what is no folder is refused", () => {
  refusal(join(base, "nothing")).toThrow("no such folder");
});
