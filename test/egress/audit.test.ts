import { createHash } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { afterAll, afterEach, describe, expect, test, vi } from "vitest";
import { Audit } from "../../lib/egress/audit.ts";
import { auditFile, auditParts } from "../../lib/egress/audit-parts.ts";
import type { AuditEvent } from "../../lib/egress/audit-record.ts";
import { readAudit, readDenials } from "../../lib/egress/denials.ts";
import { limits } from "../../lib/egress/limits.ts";
import { together } from "../../lib/egress/together.ts";

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nacre-audit-"));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
let files = 0;
const fresh = (): string => path.join(folder, `${files++}.jsonl`);
const refused = (file: string): string => auditFile(file, "refused");
const complaints: string[] = [];
const open = (file: string): Audit =>
  new Audit(
    file,
    () => ({ hash: "h", revision: 3 }),
    (text) => complaints.push(text),
  );
const deny = (host: string, reason = "no rule names it"): AuditEvent => ({
  kind: "connect",
  verdict: "deny",
  host,
  port: 443,
  layer: "network",
  reason,
  fix: { text: "allow it", allow: { host, port: 443 } },
});

/** Slow and obvious: each line names the hash of the one before, over all files that rotation left of one. */
function isChained(file: string): boolean {
  const all = [3, 2, 1].map((index) => `${file}.${index}`).filter((each) => fs.existsSync(each));
  let prev = all.length === 3 ? undefined : "0".repeat(64);
  for (const line of [...all, file].flatMap((each) => fs.readFileSync(each, "utf8").trimEnd().split("\n"))) {
    const record = (JSON.parse(line || "null") ?? {}) as { prev?: string };
    if (record.prev !== (prev ?? record.prev)) return false;
    prev = createHash("sha256").update(line).digest("hex");
  }
  return true;
}

afterEach(() => vi.useRealTimers());

describe("the audit", () => {
  test("counts what is repeated within seconds, and tells the count", () => {
    vi.useFakeTimers();
    const file = fresh();
    const audit = open(file);
    for (let times = 0; times < 1000; times++) audit.write(deny("evil.example"));
    audit.write(deny("other.example"));
    expect([...readAudit(file)]).toHaveLength(2);
    vi.advanceTimersByTime(limits.repeatMs + 1);
    expect([...readAudit(file)].map(({ host, count }) => [host, count])).toEqual([
      ["evil.example", undefined],
      ["other.example", undefined],
      ["evil.example", 999],
    ]);
    expect(readDenials(file).map(({ host, count }) => [host, count])).toEqual([
      ["other.example", 1],
      ["evil.example", 1000],
    ]);
    expect(isChained(refused(file))).toBe(true);
  });

  test("writes the counts at its end", () => {
    const file = fresh();
    const audit = open(file);
    for (let times = 0; times < 5; times++) audit.write(deny("evil.example"));
    audit.close();
    expect(readDenials(file)).toMatchObject([
      { count: 5, id: expect.stringMatching(/^[0-9a-f]{8}$/) as string },
    ]);
  });

  test("goes on with the chain after a kill, also in the middle of a line", () => {
    const file = fresh();
    const written = refused(file);
    open(file).write(deny("one.example"));
    open(file).write(deny("two.example"));
    expect(isChained(written)).toBe(true);
    fs.appendFileSync(written, '{"time":"cut sho');
    open(file).write(deny("three.example"));
    expect([...readAudit(file)].map(({ host }) => host)).toEqual([
      "one.example",
      "two.example",
      "three.example",
    ]);
    const lines = fs.readFileSync(written, "utf8").trimEnd().split("\n");
    expect(JSON.parse(lines[3] ?? "")).toMatchObject({
      prev: createHash("sha256")
        .update(lines[2] ?? "")
        .digest("hex"),
    });
  });

  test("an edited, cut or reordered line breaks the chain", () => {
    const file = fresh();
    const written = refused(file);
    const audit = open(file);
    for (const host of ["a", "b", "c", "d"]) audit.write(deny(`${host}.example`));
    const lines = fs.readFileSync(written, "utf8").trimEnd().split("\n");
    const [a = "", b = "", c = "", d = ""] = lines;
    for (const changed of [
      [a, b.replace("b.example", "x.example"), c, d],
      [a, c, d],
      [a, c, b, d],
    ]) {
      fs.writeFileSync(written, `${changed.join("\n")}\n`);
      expect(isChained(written)).toBe(false);
    }
  });

  test("is bounded: old files go, the chain runs through the rest", () => {
    const file = fresh();
    const audit = open(file);
    const reason = "x".repeat(64 * 1024);
    for (let index = 0; index < 700; index++)
      audit.write({ kind: "connect", verdict: "failed", host: `${index}.example`, reason });
    const kept = fs.readdirSync(folder).filter((name) => name.startsWith(path.basename(file)));
    expect(kept.sort()).toEqual(["", ".1", ".2", ".3"].map((end) => path.basename(file) + end));
    for (const name of kept)
      expect(fs.statSync(path.join(folder, name)).size).toBeLessThan(limits.auditBytes.passed + 100_000);
    expect(isChained(file)).toBe(true);
    const all = [...readAudit(file)];
    expect(all.at(-1)?.host).toBe("699.example");
    const order = all.map(({ host }) => Number(host?.split(".")[0]));
    expect(order).toEqual([...order].sort((one, other) => one - other));
  });

  test("a flood of different refusals pushes out no policy change and nothing that was let through", () => {
    const file = fresh();
    const audit = open(file);
    const passed: AuditEvent = {
      kind: "request",
      verdict: "allow",
      host: "api.example",
      port: 443,
      path: "/",
    };
    audit.write({ kind: "policy", verdict: "changed" });
    audit.write(passed);
    audit.write(deny("first.example"));
    const reason = "x".repeat(16 * 1024);
    const flood = (4 * limits.auditBytes.refused) / reason.length + 200;
    for (let index = 0; index < flood; index++) audit.write(deny(`${index}.example`, reason));
    audit.write({ kind: "close", verdict: "closed", host: "api.example", port: 443 });
    audit.write({ kind: "policy", verdict: "changed" });
    audit.close();
    const all = [...readAudit(file)];
    expect(all.filter(({ verdict }) => verdict !== "deny").map(({ kind }) => kind)).toEqual([
      "policy",
      "request",
      "close",
      "policy",
    ]);
    // In the order that they were written in, whatever file each is in; what went shows as numbers that are missing.
    const numbers = all.map(({ seq }) => seq ?? NaN);
    expect(numbers).toEqual([...new Set(numbers)].sort((one, other) => one - other));
    expect(numbers.slice(0, 2)).toEqual([0, 1]);
    expect(numbers[2]).toBeGreaterThan(2);
    for (const part of auditParts) expect(isChained(auditFile(file, part))).toBe(true);
  });

  test("a flood of requests that are let through pushes out no refusal and no policy change", () => {
    const file = fresh();
    const audit = open(file);
    audit.write({ kind: "policy", verdict: "changed" });
    audit.write(deny("evil.example"));
    const long = "x".repeat(16 * 1024);
    for (let index = 0; index < (4 * limits.auditBytes.passed) / long.length + 200; index++)
      audit.write({
        kind: "request",
        verdict: "allow",
        host: "api.example",
        port: 443,
        path: `/${index}${long}`,
      });
    expect([...readAudit(file)].slice(0, 2).map(({ kind, verdict }) => `${kind} ${verdict}`)).toEqual([
      "policy changed",
      "connect deny",
    ]);
    expect([...readAudit(file)][2]?.seq).toBeGreaterThan(2);
  });

  test("reads what was written before refusals had files of their own", () => {
    const file = fresh();
    open(file).write(deny("new.example"));
    const [record] = readAudit(file);
    const old = { ...record, seq: undefined, time: "2026-01-01T00:00:00.000Z", host: "old.example" };
    fs.writeFileSync(file, `${JSON.stringify(old)}\n`);
    expect(readDenials(file).map(({ host }) => host)).toEqual(["old.example", "new.example"]);
  });

  test("says what it could not write, once it can again", () => {
    const file = fresh();
    const audit = open(file);
    const spy = vi.spyOn(fs, "writeSync").mockImplementation(() => {
      throw new Error("ENOSPC");
    });
    audit.write(deny("lost.example"));
    audit.write(deny("lost-too.example"));
    spy.mockRestore();
    audit.write(deny("kept.example"));
    expect(complaints.at(-1)).toContain("ENOSPC");
    expect([...readAudit(file)].map(({ kind, host, count }) => [kind, host, count])).toEqual([
      ["lost", undefined, 2],
      ["connect", "kept.example", undefined],
    ]);
  });

  test("a disk that takes a part of a record keeps none of it, and the chain", () => {
    const file = fresh();
    const audit = open(file);
    audit.write(deny("first.example"));
    const write = fs.writeSync;
    const spy = vi
      .spyOn(fs, "writeSync")
      .mockImplementation(((fd: number, bytes: Buffer) =>
        write(fd, bytes.subarray(0, 20))) as typeof fs.writeSync);
    audit.write(deny("lost.example"));
    spy.mockRestore();
    audit.write(deny("kept.example"));
    expect(complaints.at(-1)).toContain("only 20 of ");
    expect([...readAudit(file)].map(({ kind, host, count }) => [kind, host, count])).toEqual([
      ["connect", "first.example", undefined],
      ["lost", undefined, 1],
      ["connect", "kept.example", undefined],
    ]);
    expect(isChained(refused(file))).toBe(true);
  });

  describe("of what is let through", () => {
    const allow = (host: string): AuditEvent => ({ kind: "request", verdict: "allow", host, port: 443 });
    const hosts = (file: string): unknown[] =>
      [...readAudit(file)].map(({ kind, host, count }) => host ?? [kind, count]);

    test("is in the file before a byte goes out, with all that waits", async () => {
      const file = fresh();
      const audit = open(file);
      const before: unknown[][] = [];
      const [a, b] = ["a", "b"].map(
        () =>
          new Writable({
            write: (_chunk, _encoding, done) => {
              before.push(hosts(file));
              done();
            },
          }),
      );
      audit.write(allow("a.example"), "beforehand");
      expect(hosts(file)).toEqual([]);
      together(a!);
      a!.write("1");
      for (const host of ["b.example", "c.example"]) audit.write(allow(host), "beforehand");
      together(b!);
      b!.write("1");
      audit.write(deny("d.example"));
      await setImmediate();
      expect(before).toEqual([
        ["a.example"],
        ["a.example", "d.example", "b.example", "c.example"].toSorted(),
      ]);
      expect(isChained(file)).toBe(true);
      audit.write(allow("last.example"), "beforehand");
      audit.close();
      expect(hosts(file)).toContain("last.example");
    });

    test("and what could not be written is counted, one by one", async () => {
      const file = fresh();
      const audit = open(file);
      audit.write(allow("first.example"));
      for (let times = 0; times < 2; times++) {
        const spy = vi.spyOn(fs, "writeSync").mockImplementation(() => {
          throw new Error("ENOSPC");
        });
        for (const host of ["lost.example", "lost.example"]) audit.write(allow(host), "beforehand");
        await setImmediate();
        spy.mockRestore();
      }
      audit.write(allow("kept.example"));
      expect(hosts(file)).toEqual(["first.example", ["lost", 4], "kept.example"]);
      expect(isChained(file)).toBe(true);
    });
  });

  test("does not follow a link", () => {
    const file = fresh();
    fs.symlinkSync("/etc/passwd", refused(file));
    expect(() => open(file)).toThrow("ELOOP");
  });

  test("the same refusal has the same id; another program, port or host another", () => {
    const file = fresh();
    const audit = open(file);
    for (const event of [
      deny("a.example"),
      { ...deny("a.example"), binary: "/bin/x" },
      { ...deny("a.example"), port: 80 },
      deny("b.example"),
    ]) {
      audit.write(event);
    }
    expect(new Set(readDenials(file).map(({ id }) => id)).size).toBe(4);
  });
});
