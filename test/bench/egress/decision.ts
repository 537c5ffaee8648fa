import { compile, type CompiledPolicy } from "../../../lib/policy/compile.ts";
import { decide } from "../../../lib/policy/decide.ts";
import type { Destination, HttpRequest } from "../../../lib/policy/decision.ts";
import { networkPoliciesSchema } from "../../../lib/policy/language.ts";
import { shuffled } from "../measure.ts";
import type { Bench, Row } from "../report.ts";

const sizes = [10, 100, 1000, 10_000] as const;
const rounds = 80;
const inUse = 100;
/** Decisions of one sample. */
const batch = 20_000;
const most = 2;

/** `decide()` alone: what one decision takes while rules grow in number. */
export const decision: Bench = { name: "decision", rows };

interface Question {
  readonly where: Destination;
  readonly what: HttpRequest;
}

interface Kind {
  readonly what: string;
  readonly rules: (count: number) => object;
  /** The one that rule `index` allows, or one like it that none does. */
  readonly question: (index: number) => Question;
}

const api = "api.example.com";
const get = (path: string): object => ({ allow: { method: "GET", path } });
const rest = (host: string, rules: readonly object[]): object => ({
  endpoints: [{ host, port: 443, protocol: "rest", rules }],
});
const numbered = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const byHost = (count: number): object =>
  Object.fromEntries(numbered(count).map((at) => [`r${at}`, rest(`h${at}.example.com`, [get("/v1/**")])]));
const byPath = (count: number): object => ({
  api: rest(
    api,
    numbered(count).map((at) => get(`/v1/noun${at}/**`)),
  ),
});
const query = new Map();
const kinds: readonly Kind[] = [
  {
    what: "allowed, each rule a host",
    rules: byHost,
    question: (index) => ({
      where: { host: `h${index}.example.com`, port: 443 },
      what: { method: "GET", path: `/v1/items/${random()}`, query },
    }),
  },
  {
    what: "allowed, each rule a path of one host",
    rules: byPath,
    question: (index) => ({
      where: { host: api, port: 443 },
      what: { method: "GET", path: `/v1/noun${index}/${random()}`, query },
    }),
  },
  {
    what: "denied host, each rule a host",
    rules: byHost,
    question: (index) => ({
      where: { host: `h${index}.example.org`, port: 443 },
      what: { method: "GET", path: `/v1/items/${random()}`, query },
    }),
  },
  {
    what: "denied path, each rule a path of one host",
    rules: byPath,
    question: (index) => ({
      where: { host: api, port: 443 },
      what: { method: "GET", path: `/v2/noun${index}/${random()}`, query },
    }),
  },
];

async function* rows(): AsyncGenerator<Row> {
  for (const kind of kinds) {
    yield await row(kind, inUse);
    if (kind.what.startsWith("allowed")) yield await row(kind, Infinity);
  }
}

/** @param used how many of the rules are asked for, in random order: an agent talks to tens of hosts, not to all of a long policy */
async function row({ what, rules, question }: Kind, used: number): Promise<Row> {
  const policies = sizes.map((count) => ({ count, ...asked(rules(count), count, used, question) }));
  const times = new Map<number, number[]>(sizes.map((count) => [count, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { count, policy, questions } of shuffled(policies))
      times.get(count)?.push(nanoseconds(policy, questions));
    await new Promise(setImmediate);
  }
  const least = sizes.map((count) => Math.min(...(times.get(count) ?? [])));
  const [few = NaN, many = NaN] = [least[0], least.at(-1)];
  const shown = sizes.map(
    (count, at) => `${count.toLocaleString("en")} rules ${Math.round(least[at] ?? NaN)} ns`,
  );
  return {
    what: `decision, ${what}, ${used === Infinity ? "all" : used} in use`,
    ours: `${Math.round(many)} ns at 10,000 rules`,
    peer: `${Math.round(few)} ns at 10 rules`,
    ratio: many / few,
    ...(used === Infinity ? {} : { goal: `flat: ≤ ${most}x`, met: many / few <= most }),
    note:
      `${shown.join(", ")}; random questions, the least of ${rounds} × ${batch.toLocaleString("en")}` +
      (used === Infinity ? "; what grows is the time of memory that no cache of the processor holds" : ""),
  };
}

function asked(
  rules: object,
  count: number,
  used: number,
  question: Kind["question"],
): { policy: CompiledPolicy; questions: Question[] } {
  const base = networkPoliciesSchema.parse(rules);
  const indices = shuffled(numbered(count)).slice(0, used);
  // As few as hold all that is in use: else the questions themselves are what has to be fetched.
  const length = Math.max(1000, indices.length);
  const questions = Array.from({ length }, (_, at) => question(indices[at % indices.length] ?? 0));
  return { policy: compile({ base, allows: [], blocks: [] }), questions: shuffled(questions) };
}

function nanoseconds(policy: CompiledPolicy, questions: readonly Question[]): number {
  let allowed = 0;
  const began = process.hrtime.bigint();
  for (let at = 0; at < batch; at++) {
    const { where, what } = questions[at % questions.length] as Question;
    if (decide(policy, nobody, where, what).verdict === "allow") allowed += 1;
  }
  const took = Number(process.hrtime.bigint() - began) / batch;
  // All or none: else the questions are not what they are called. It also keeps the loop from being optimised away.
  if (allowed !== 0 && allowed !== batch) throw new Error(`${allowed} of ${batch} were allowed`);
  return took;
}

const nobody = {};
const random = (): string => Math.random().toString(36).slice(2);
