import { auditFile, type AuditPart, partOf } from "./audit-parts.ts";
import { type AuditEvent, type AuditRecord, denialId } from "./audit-record.ts";
import { ChainedFile } from "./chained-file.ts";
import { limits } from "./limits.ts";
import { beforehand } from "./together.ts";

/** What the audit needs of the policy in force. */
export interface InForce {
  readonly hash: string;
  readonly revision: number;
}

/** When a record is in its file: at once, or with others of the same moment, before any held stream is written. */
type When = "now" | "beforehand";

/** Records of one file that are to be written next; `told`: losses that one of them tells of. */
interface Waiting {
  records: number;
  told: number;
}

interface Repeat {
  readonly event: AuditEvent;
  count: number;
  readonly timer: NodeJS.Timeout;
}

/**
 * The decisions, one JSON line each, chained by hash, written before the next step is taken: `kill -9` loses at most
 * the last one. Bounded by rotation, part by part; the same decision again within seconds is counted, so that a flood does
 * not push evidence out. What cannot be written is counted and said as soon as writing works again.
 */
export class Audit {
  readonly #files: Readonly<Record<AuditPart, ChainedFile>>;
  readonly #inForce: () => InForce;
  readonly #complain: (message: string) => void;
  readonly #repeats = new Map<string, Repeat>();
  readonly #lost: Record<AuditPart, number> = { policy: 0, passed: 0, refused: 0 };
  readonly #waiting: Record<AuditPart, Waiting> = {
    policy: { records: 0, told: 0 },
    passed: { records: 0, told: 0 },
    refused: { records: 0, told: 0 },
  };
  readonly #flushPassed = (): void => this.#flush("passed");
  #written = 0;

  /** Opens or makes the files (0600). Throws where it cannot: without an audit nothing is decided. */
  constructor(file: string, inForce: () => InForce, complain: (message: string) => void) {
    this.#inForce = inForce;
    this.#complain = complain;
    const open = (part: AuditPart): ChainedFile =>
      new ChainedFile(auditFile(file, part), limits.auditBytes[part]);
    this.#files = { policy: open("policy"), passed: open("passed"), refused: open("refused") };
  }

  /**
   * Writes `event`, or counts it where it was just written. Never throws.
   * @param when `beforehand`: of what is let through, where its next step is taken on held streams alone (`together`)
   */
  write(event: AuditEvent, when: When = "now"): void {
    // What keeps a connection from being made has a layer, and so an id that a person can name.
    const full = event.layer === undefined ? event : { ...event, id: denialId(event) };
    if (event.layer === undefined && full.kind !== "dns") {
      this.#append(full, undefined, when);
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
    this.#flush("passed");
    for (const file of Object.values(this.#files)) file.close();
  }

  #settle(key: string): void {
    const repeat = this.#repeats.get(key);
    if (repeat === undefined) return;
    clearTimeout(repeat.timer);
    this.#repeats.delete(key);
    if (repeat.count > 0) this.#append(repeat.event, repeat.count);
  }

  #append(event: AuditEvent, count?: number, when: When = "now"): void {
    const part = partOf(event);
    const waiting = this.#waiting[part];
    const lost = this.#lost[part];
    if (lost > 0) {
      this.#put(part, { kind: "lost", verdict: "failed", reason: "could not be written" }, lost);
      waiting.told += lost;
      this.#lost[part] = 0;
    }
    this.#put(part, event, count);
    waiting.records++;
    if (when === "beforehand" && part === "passed") beforehand(this.#flushPassed);
    else this.#flush(part);
  }

  #flush(part: AuditPart): void {
    const waiting = this.#waiting[part];
    if (waiting.records === 0) return;
    try {
      this.#files[part].flush();
    } catch (error) {
      if (waiting.told === 0) this.#complain(`audit: ${String(error)}`);
      this.#lost[part] += waiting.records + waiting.told;
    }
    waiting.records = waiting.told = 0;
  }

  #put(part: AuditPart, event: AuditEvent, count: number | undefined): void {
    const { hash, revision } = this.#inForce();
    const record: Omit<AuditRecord, "prev"> = {
      time: new Date().toISOString(),
      seq: this.#written++,
      ...event,
      ...(count === undefined ? {} : { count }),
      policy: hash,
      revision,
    };
    this.#files[part].append(record);
  }
}
