import { auditFile, type AuditPart, partOf } from "./audit-parts.ts";
import { type AuditEvent, type AuditRecord, denialId } from "./audit-record.ts";
import { ChainedFile } from "./chained-file.ts";
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
 * the last one. Bounded by rotation, part by part; the same decision again within seconds is counted, so that a flood does
 * not push evidence out. What cannot be written is counted and said as soon as writing works again.
 */
export class Audit {
  readonly #files: Readonly<Record<AuditPart, ChainedFile>>;
  readonly #inForce: () => InForce;
  readonly #complain: (message: string) => void;
  readonly #repeats = new Map<string, Repeat>();
  readonly #lost: Record<AuditPart, number> = { policy: 0, passed: 0, refused: 0 };
  #written = 0;

  /** Opens or makes the files (0600). Throws where it cannot: without an audit nothing is decided. */
  constructor(file: string, inForce: () => InForce, complain: (message: string) => void) {
    this.#inForce = inForce;
    this.#complain = complain;
    const open = (part: AuditPart): ChainedFile =>
      new ChainedFile(auditFile(file, part), limits.auditBytes[part]);
    this.#files = { policy: open("policy"), passed: open("passed"), refused: open("refused") };
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
    for (const file of Object.values(this.#files)) file.close();
  }

  #settle(key: string): void {
    const repeat = this.#repeats.get(key);
    if (repeat === undefined) return;
    clearTimeout(repeat.timer);
    this.#repeats.delete(key);
    if (repeat.count > 0) this.#append(repeat.event, repeat.count);
  }

  #append(event: AuditEvent, count?: number): void {
    const part = partOf(event);
    try {
      if (this.#lost[part] > 0) {
        this.#put(
          part,
          { kind: "lost", verdict: "failed", reason: "could not be written" },
          this.#lost[part],
        );
        this.#lost[part] = 0;
      }
      this.#put(part, event, count);
    } catch (error) {
      if (this.#lost[part] === 0) this.#complain(`audit: ${String(error)}`);
      this.#lost[part]++;
    }
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
