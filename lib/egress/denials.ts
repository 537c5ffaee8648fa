import fs from "node:fs";
import { auditFile, auditParts } from "./audit-parts.ts";
import { type AuditRecord, auditRecordSchema } from "./audit-record.ts";
import { limits } from "./limits.ts";

/** One thing that was refused, or allowed and not to be had (layer `upstream`), however often. */
export interface Denial extends AuditRecord {
  readonly id: string;
  readonly count: number;
  /** The first and the last time, ISO 8601. */
  readonly first: string;
  readonly last: string;
}

/**
 * What an audit file and its rotated predecessors say of connections that were not made, repeats summed, the latest last.
 * @param since milliseconds since the epoch
 */
export function readDenials(file: string, since = 0): Denial[] {
  const found = new Map<string, Denial>();
  for (const record of readAudit(file)) {
    if (record.id === undefined || Date.parse(record.time) < since) continue;
    // An agent chooses what it is refused, and so can make two things with one short id: they stay two.
    const { host, port, binary, layer, method, path, fix } = record;
    const key = JSON.stringify([record.id, host, port, binary, layer, method, path, fix?.allow?.query]);
    const known = found.get(key);
    found.delete(key);
    found.set(key, {
      ...record,
      id: record.id,
      count: (known?.count ?? 0) + (record.count ?? 1),
      first: known?.first ?? record.time,
      last: record.time,
    });
  }
  return [...found.values()];
}

/** All records, the oldest first. A line that a kill cut short is passed over; so is one that is no record. */
export function* readAudit(file: string): Generator<AuditRecord> {
  const parts = auditParts
    .map((part) => recordsOf(auditFile(file, part)))
    .map((records) => ({ records, next: records.next() }));
  for (;;) {
    let first: { readonly part: (typeof parts)[number]; readonly record: AuditRecord } | undefined;
    for (const part of parts) {
      if (part.next.done === true) continue;
      const record = part.next.value;
      if (first === undefined || isBefore(record, first.record)) first = { part, record };
    }
    if (first === undefined) return;
    yield first.record;
    first.part.next = first.part.records.next();
  }
}

/** Within one millisecond, the number tells. */
const isBefore = (one: AuditRecord, other: AuditRecord): boolean =>
  one.time < other.time || (one.time === other.time && (one.seq ?? 0) < (other.seq ?? 0));

/** The records of one part, as they were written. */
function* recordsOf(file: string): Generator<AuditRecord, undefined> {
  for (let index = limits.auditFiles; index >= 0; index--) {
    for (const line of linesOf(index === 0 ? file : `${file}.${index}`)) {
      const record = auditRecordSchema.safeParse(parsed(line));
      if (record.success) yield record.data;
    }
  }
  return undefined;
}

function linesOf(file: string): string[] {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
    try {
      return fs.readFileSync(fd, "utf8").split("\n");
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
