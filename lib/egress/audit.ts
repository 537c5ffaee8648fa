import { hash as hashOf } from "node:crypto";
import fs from "node:fs";
import { type AuditEvent, type AuditRecord, denialId } from "./audit-record.ts";
import { limits } from "./limits.ts";

/** What the audit needs of the policy in force. */
export interface InForce {
  readonly hash: string;
  readonly revision: number;
}

interface Repeat {
  readonly event: AuditEvent;
  count: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * The decisions, one JSON line each, chained by hash, written before the next step is taken: `kill -9` loses at most
 * the last one. Bounded by rotation; the same decision again within seconds is counted, so that a flood does not push
 * evidence out. What cannot be written is counted and said as soon as writing works again.
 */
export class Audit {
  readonly #file: string;
  readonly #inForce: () => InForce;
  readonly #complain: (message: string) => void;
  readonly #repeats = new Map<string, Repeat>();
  #fd: number;
  #size: number;
  #prev: string;
  #lost = 0;

  /** Opens or makes the file (0600). Throws where it cannot: without an audit nothing is decided. */
  constructor(file: string, inForce: () => InForce, complain: (message: string) => void) {
    this.#file = file;
    this.#inForce = inForce;
    this.#complain = complain;
    this.#fd = open(file);
    const end = lastLine(this.#fd);
    this.#size = end.size;
    this.#prev = end.hash;
    if (end.torn) this.#size += fs.writeSync(this.#fd, "\n");
  }

  /** Writes `event`, or counts it where it was just written. Never throws. */
  write(event: AuditEvent): void {
    // What keeps a connection from being made has a layer, and so an id that a person can name.
    const full = event.layer === undefined ? event : { ...event, id: denialId(event) };
    if (event.layer === undefined && full.kind !== "dns") {
      this.#append(full);
      return;
    }
    const key = `${full.kind} ${full.verdict} ${denialId(full)} ${full.reason ?? ""}`;
    const known = this.#repeats.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    this.#append(full);
    if (this.#repeats.size >= limits.repeats) return;
    const timer = setTimeout(() => this.#settle(key), limits.repeatMs);
    timer.unref();
    this.#repeats.set(key, { event: full, count: 0, timer });
  }

  /** Writes what was only counted so far. */
  close(): void {
    for (const key of [...this.#repeats.keys()]) this.#settle(key);
    fs.closeSync(this.#fd);
  }

  #settle(key: string): void {
    const repeat = this.#repeats.get(key);
    if (repeat === undefined) return;
    clearTimeout(repeat.timer);
    this.#repeats.delete(key);
    if (repeat.count > 0) this.#append(repeat.event, repeat.count);
  }

  #append(event: AuditEvent, count?: number): void {
    try {
      if (this.#lost > 0) {
        this.#put({ kind: "lost", verdict: "failed", reason: "could not be written" }, this.#lost);
        this.#lost = 0;
      }
      this.#put(event, count);
    } catch (error) {
      if (this.#lost === 0) this.#complain(`audit: ${String(error)}`);
      this.#lost++;
    }
  }

  #put(event: AuditEvent, count: number | undefined): void {
    if (this.#size > limits.auditBytes) this.#rotate();
    const { hash, revision } = this.#inForce();
    const record: AuditRecord = {
      time: new Date().toISOString(),
      ...event,
      ...(count === undefined ? {} : { count }),
      policy: hash,
      revision,
      prev: this.#prev,
    };
    const line = JSON.stringify(record);
    this.#size += fs.writeSync(this.#fd, `${line}\n`);
    this.#prev = hashOf("sha256", line, "hex");
  }

  /** `audit.jsonl` becomes `audit.jsonl.1`, and so on; the chain goes on in the new file. */
  #rotate(): void {
    for (let index = limits.auditFiles - 1; index >= 1; index--) {
      const from = `${this.#file}.${index}`;
      if (fs.existsSync(from)) fs.renameSync(from, `${this.#file}.${index + 1}`);
    }
    fs.renameSync(this.#file, `${this.#file}.1`);
    const before = this.#fd;
    this.#fd = open(this.#file);
    this.#size = 0;
    fs.closeSync(before);
  }
}

function open(file: string): number {
  const { O_APPEND, O_CREAT, O_RDWR, O_NOFOLLOW } = fs.constants;
  return fs.openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
}

/** The end of the chain so far; `torn` where a kill left a line without its line feed. */
function lastLine(fd: number): { size: number; hash: string; torn: boolean } {
  const { size } = fs.fstatSync(fd);
  if (size === 0) return { size, hash: "0".repeat(64), torn: false };
  const tail = Buffer.alloc(Math.min(size, 256 * 1024));
  fs.readSync(fd, tail, 0, tail.length, size - tail.length);
  const torn = tail[tail.length - 1] !== 0x0a;
  const text = torn ? tail : tail.subarray(0, -1);
  const line = text.subarray(text.lastIndexOf(0x0a) + 1);
  return { size, hash: hashOf("sha256", line, "hex"), torn };
}
