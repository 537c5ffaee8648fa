import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { beforehand, meanwhile, together } from "../../lib/egress/together.ts";

const written: string[] = [];
const stream = (name: string): Writable =>
  new Writable({
    write: (chunk: Buffer, _, done) => {
      written.push(`${name}: ${chunk.toString()}`);
      done();
    },
    writev: (chunks, done) => {
      written.push(`${name}: ${chunks.map(({ chunk }) => (chunk as Buffer).toString()).join("+")}`);
      done();
    },
  });
afterEach(async () => {
  await turn();
  written.length = 0;
});

test("the first of several streams is written at once, the others in a row when all events were looked at", async () => {
  const [a, b, c] = [stream("a"), stream("b"), stream("c")];
  for (const one of [a, b, c, b]) {
    together(one);
    one.write("1");
  }
  expect(written).toEqual(["a: 1"]);
  await turn();
  expect(written).toEqual(["a: 1", "b: 1+1", "c: 1"]);
  together(b);
  b.write("2");
  expect(written.at(-1)).toBe("b: 2");
});

test("what is to be done beforehand is done before any of them is written, and once", async () => {
  const note = (): void => void written.push("noted");
  const [a, b] = [stream("a"), stream("b")];
  beforehand(note);
  together(a);
  a.write("1");
  expect(written).toEqual(["noted", "a: 1"]);
  beforehand(note);
  together(b);
  b.write("1");
  beforehand(note);
  expect(written).toHaveLength(2);
  await turn();
  expect(written.slice(2)).toEqual(["noted", "b: 1"]);
  beforehand(note);
  await turn();
  expect(written.at(-1)).toBe("noted");
});

test("what ends a held stream's message waits with it; of one that is not held it is done at once", async () => {
  const [a, b] = [stream("a"), stream("b")];
  for (const one of [a, b]) {
    together(one);
    one.write("1");
    meanwhile(one, () => one.end("!"));
  }
  expect(written).toEqual(["a: 1", "a: !"]);
  await turn();
  expect(written.slice(2)).toEqual(["b: 1+!"]);
});
