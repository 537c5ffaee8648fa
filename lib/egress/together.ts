import type { Writable } from "node:stream";

const held = new Set<Writable>();
const first = new Set<() => void>();
let last: (() => void)[] = [];
let scheduled = false;
/** One stream was written already while these events are looked at. */
let begun = false;

/**
 * Keeps what is written to a stream until all events at hand were looked at, and then writes everything of every stream
 * in a row: a write that has to wake its reader costs several times one whose reader is awake. The first stream of them
 * is not kept: where there is one alone, waiting would only cost time.
 */
export function together(stream: Writable): void {
  if (held.has(stream)) return;
  schedule();
  if (!begun) {
    begun = true;
    prepare();
    return;
  }
  held.add(stream);
  stream.cork();
}

/** Has `action` done once before what is written to any such stream. It may not throw. */
export function beforehand(action: () => void): void {
  schedule();
  first.add(action);
}

/** Has `action` done when `stream` is written: what ends a message of HTTP lets go of its stream. It may not throw. */
export function meanwhile(stream: Writable, action: () => void): void {
  if (held.has(stream)) last.push(action);
  else action();
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(release);
}

function prepare(): void {
  const actions = [...first];
  first.clear();
  for (const action of actions) action();
}

function release(): void {
  const [actions, streams] = [last, [...held]];
  scheduled = begun = false;
  held.clear();
  last = [];
  prepare();
  for (const action of actions) action();
  for (const stream of streams) stream.uncork();
}
