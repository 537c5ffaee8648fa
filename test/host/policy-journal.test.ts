import { mkdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Network } from "../../lib/egress/protocol.ts";
import { NacreError } from "../../lib/error.ts";
import type { LiveNetwork } from "../../lib/host/live-network.ts";
import type { Layers } from "../../lib/host/overrides.ts";
import { sandboxPaths } from "../../lib/host/paths.ts";
import { PolicyJournal } from "../../lib/host/policy-journal.ts";
import { RecordKeeper } from "../../lib/host/record-keeper.ts";
import type { NetworkPolicies } from "../../lib/policy/language.ts";
import { temporaryFolder } from "./folder.ts";
import { sandboxSpec } from "./specs.ts";

const id = "dev/assistant";
const of = (name: string): NetworkPolicies => ({
  [name]: { endpoints: [{ host: `${name}.example.com`, port: 443 }] },
});
const refusal = new NacreError({ code: "policy_invalid", subject: "rule b", message: "no" });
const live = (network: NetworkPolicies): LiveNetwork => ({ network, by: "set", at: 1, conflicts: [] });
const set = (name: string) => ({
  by: "set" as const,
  what: () => `+${name}`,
  edit: (layers: Layers) => ({ ...layers, live: live(of(name)) }),
});

/** A journal whose egress answers what the test says. */
function journalIn(state: string) {
  const paths = sandboxPaths(state, id);
  mkdirSync(paths.directory, { recursive: true });
  const identity = { agent: { uid: 1, gid: 1 }, egress: { uid: 1, gid: 1 } };
  const record = new RecordKeeper(state, {
    ...{ id, spec: sandboxSpec({ network: of("blueprint") }), identity, generation: 1, init: null },
    ...{ egress: null, wanted: "running", published: [], kitDigest: null, failure: null },
  });
  const pushed: Network[] = [];
  const egress = {
    loaded: null as { revision: number; hash: string } | null,
    push: (network: Network) => {
      pushed.push(network);
      return new Promise<string>(() => undefined);
    },
  };
  const journal = new PolicyJournal({ state, log: () => undefined }, record, paths, egress);
  const answer = (revision: number, error?: NacreError): void => {
    if (error !== undefined) journal.failed(revision, error);
    else {
      egress.loaded = { revision, hash: "h" };
      journal.loaded(revision, "h");
    }
  };
  const states = async () => (await journal.overrides()).revisions.map(({ state: found }) => found);
  const base = async () => Object.keys((await journal.spec()).network);
  return {
    journal,
    pushed,
    answer,
    states,
    base,
    onDisk: () => JSON.parse(readFileSync(paths.overrides, "utf8")),
  };
}

test("what the egress refuses is taken back, also what lies on disk", async () => {
  const { journal, answer, states, base, onDisk } = journalIn(temporaryFolder());
  await journal.begin();
  answer(0);
  expect(await states()).toEqual(["Loaded"]);
  await journal.change(set("a"), 1000);
  answer(1);
  await journal.change(set("b"), 1000);
  expect(await base()).toEqual(["b"]);
  answer(2, refusal);
  await journal.change({ by: "block", what: () => "", edit: (layers) => layers }, 1000);
  expect(await base()).toEqual(["a"]);
  expect(await states()).toEqual(["Loaded", "Loaded", "Failed", "Pending"]);
  expect(onDisk()).toMatchObject({ revision: 3, live: { network: of("a") } });
});

test("where a later one is on its way, that decides", async () => {
  const { journal, answer, states, base } = journalIn(temporaryFolder());
  await journal.begin();
  answer(0);
  await journal.change(set("a"), 1000);
  await journal.change(set("b"), 1000);
  answer(1, refusal);
  // Behind what the refusal sets going.
  await journal.change({ by: "block", what: () => "", edit: (layers) => layers }, 1000);
  expect(await base()).toEqual(["b"]);
  answer(3);
  await journal.flush();
  expect(await base()).toEqual(["b"]);
  expect(await states()).toEqual(["Loaded", "Failed", "Loaded", "Loaded"]);
});

test("an egress that starts with a refused policy is given the last that was in force", async () => {
  const state = temporaryFolder();
  const first = journalIn(state);
  await first.journal.begin();
  first.answer(0);
  await first.journal.change(set("a"), 1000);
  first.answer(1);
  await first.journal.change(set("b"), 1000);
  await first.journal.flush();
  // Killed here: the next daemon's egress is told the pending one first.
  const { journal, pushed, answer, states, base } = journalIn(state);
  await journal.begin();
  answer(2, refusal);
  await expect
    .poll(() => pushed.map(({ revision, base: rules }) => [revision, Object.keys(rules)]))
    .toEqual([[1, ["a"]]]);
  expect(await base()).toEqual(["a"]);
  expect(await states()).toEqual(["Loaded", "Loaded", "Failed"]);
  await journal.flush();
});
