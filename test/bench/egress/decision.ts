import { compile, type CompiledPolicy } from "../../../lib/policy/compile.ts";
import { decide } from "../../../lib/policy/decide.ts";
import type { Destination, HttpRequest } from "../../../lib/policy/decision.ts";
import { networkPoliciesSchema } from "../../../lib/policy/language.ts";
import { median, shuffled } from "../measure.ts";
import type { Bench, Row } from "../report.ts";

const sizes = [10, 100, 1000, 10_000] as const;
const rounds = 15;
/** Decisions of one sample. */
const batch = 100_000;
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
const query = new Map();
const kinds: readonly Kind[] = [
  {
    what: "allowed, each rule a host",
    rules: (count) =>
      Object.fromEntries(
        numbered(count).map((at) => [`r${at}`, rest(`h${at}.example.com`, [get("/v1/**")])]),
      ),
    question: (index) => ({
      where: { host: `h${index}.example.com`, port: 443 },
      what: { method: "GET", path: `/v1/items/${random()}`, query },
    }),
  },
  {
    what: "allowed, each rule a path of one host",
    rules: (count) => ({
      api: rest(
        api,
        numbered(count).map((at) => get(`/v1/noun${at}/**`)),
      ),
    }),
    question: (index) => ({
      where: { host: api, port: 443 },
      what: { method: "GET", path: `/v1/noun${index}/${random()}`, query },
    }),
  },
  {
    what: "denied host, each rule a host",
    rules: (count) =>
      Object.fromEntries(
        numbered(count).map((at) => [`r${at}`, rest(`h${at}.example.com`, [get("/v1/**")])]),
      ),
    question: (index) => ({
      where: { host: `h${index}.example.org`, port: 443 },
      what: { method: "GET", path: `/v1/items/${random()}`, query },
    }),
  },
  {
    what: "denied path, each rule a path of one host",
    rules: (count) => ({
      api: rest(
        api,
        numbered(count).map((at) => get(`/v1/noun${at}/**`)),
      ),
    }),
    question: (index) => ({
      where: { host: api, port: 443 },
      what: { method: "GET", path: `/v2/noun${index}/${random()}`, query },
    }),
  },
];

async function* rows(): AsyncGenerator<Row> {
  for (const { what, rules, question } of kinds) {
    const policies = sizes.map((count) => ({ count, ...asked(rules(count), count, question) }));
    const times = new Map<number, number[]>(sizes.map((count) => [count, []]));
    for (let round = -3; round < rounds; round++) {
      for (const { count, policy, questions } of shuffled(policies)) {
        const took = nanoseconds(policy, questions);
        if (round >= 0) times.get(count)?.push(took);
      }
      await new Promise(setImmediate);
    }
    const [few = NaN, ...more] = sizes.map((count) => median(times.get(count) ?? []));
    const ratio = (more.at(-1) ?? NaN) / few;
    yield {
      what: `decision, ${what}`,
      ours: `${Math.round(more.at(-1) ?? NaN)} ns at 10,000 rules`,
      peer: `${Math.round(few)} ns at 10 rules`,
      ratio,
      goal: `flat: ≤ ${most}x`,
      met: ratio <= most,
      note: `${sizes.map((count, at) => `${count.toLocaleString("en")} rules ${Math.round([few, ...more][at] ?? NaN)} ns`).join(", ")}; random questions, medians of ${rounds} × ${batch.toLocaleString("en")}`,
    };
  }
}

function asked(
  rules: object,
  count: number,
  question: Kind["question"],
): { policy: CompiledPolicy; questions: Question[] } {
  const base = networkPoliciesSchema.parse(rules);
  const questions = Array.from({ length: 10_000 }, () => question(Math.floor(Math.random() * count)));
  return { policy: compile({ base, allows: [], blocks: [] }), questions };
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
