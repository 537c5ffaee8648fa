import { execFileSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { classify } from "../../lib/policy/address-class.ts";
import { parseAddress, type IpAddress } from "../../lib/policy/address.ts";
import { holds, kindOf, rangeOf } from "./address-blocks.ts";
import { goldens, more } from "./environments.ts";
import { judge, python, type Judgement } from "./judge.ts";
import { addressesOf, deviationsOf } from "./meaning.ts";
import { sceneOf, type Scene } from "./scene.ts";
import { tableOf } from "./table.ts";
import { weakened } from "./weakened.ts";

/** The NetworkPolicies of the goldens, judged by an analyser that is not ours. */
const scenesOf = (made: typeof goldens): Map<string, Scene> =>
  new Map(Object.entries(made).map(([name, environment]) => [name, sceneOf(environment())]));
const judged = scenesOf(goldens);
const scenes = new Map([...judged, ...scenesOf(more)]);
let judgements: ReadonlyMap<string, Judgement>;
beforeAll(async () => {
  judgements = await judge(new Map([...scenes].map(([name, { manifests }]) => [name, manifests])));
});

describe("what passes is what is meant, exactly", () => {
  test.for([...scenes])("%s", ([name, scene]) => {
    expect(deviationsOf(scene, judgements.get(name)!)).toEqual({ opened: [], closed: [] });
  });
});

describe("tables", () => {
  test.for([...judged])("%s", async ([name, scene]) => {
    const table = tableOf(name, scene, judgements.get(name)!);
    await expect(table).toMatchFileSnapshot(`../../snapshots/goldens/network-${name}.md`);
  });
});

describe("public is what others call public", () => {
  const probes = (): IpAddress[] => addressesOf(scenes.get("settings")!, judgements.get("settings")!);

  test("the guard's own table calls the same addresses public", () => {
    // NAT64: an IPv6-only host reaches IPv4 so. The guard sees the IPv4 address within; no block of addresses can.
    const nat64 = rangeOf("64:ff9b::/96");
    const differ = probes().filter((one) => (classify(one) === "public") !== (kindOf(one) === "public"));
    expect(differ.filter((one) => !holds(nat64, one)).map(({ text }) => text)).toEqual([]);
  });

  test("Python's ipaddress calls each of them global", () => {
    const passes = probes().filter((address) => kindOf(address) === "public");
    const program =
      "import ipaddress, sys; print(*[a for a in sys.stdin.read().split() if not ipaddress.ip_address(a).is_global])";
    const input = passes.map(({ text }) => text).join("\n");
    const foreign = execFileSync(python(), ["-c", program], { input, encoding: "utf8" });
    expect(passes.length).toBeGreaterThan(50);
    expect(foreign.trim()).toBe("");
  });

  test("an address that hides another one is the guard's to refuse: no block can say it", () => {
    const isatap = parseAddress("2600::5efe:10.0.0.1")!;
    expect(judgements.get("minimal")!.between("nacre-dev/egress-agent-1", isatap)).toEqual(["TCP all"]);
    expect(classify(isatap)).toBe("private");
  });
});

test("each opened policy is found", async () => {
  const scene = scenes.get("settings")!;
  const before = tableOf("settings", scene, judgements.get("settings")!);
  const all = weakened(scene);
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  const after = await judge(new Map(all.map(({ name, manifests }) => [name, manifests])));
  const seen = all.map(({ name }) => {
    const judgement = after.get(name)!;
    const { opened, closed: less } = deviationsOf(scene, judgement);
    const changed = tableOf("settings", scene, judgement) !== before;
    const effect = opened.length > 0 ? "opens" : less.length > 0 ? "closes" : "holds";
    return `${name}: ${effect}${changed === (effect !== "holds") ? "" : ", and the table does not show it"}`;
  });
  expect(seen).toEqual(all.map(({ name, effect }) => `${name}: ${effect}`));
});
