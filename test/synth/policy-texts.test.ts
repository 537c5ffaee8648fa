import { expect, test } from "vitest";
import { digestOf } from "../../lib/blueprint/index.ts";
import type { NetworkPolicies } from "../../lib/policy/language.ts";
import { PolicyTexts } from "../../lib/synth/kubernetes/policy-texts.ts";
import { renderObject } from "../../lib/synth/render.ts";
import { catalogue } from "../blueprint/fixtures.ts";

const rule = (host: string) => ({ endpoints: [{ host, port: 443 }] });
const shared = rule("a.example.com");
const long = `${"a-label-of-many-characters.".repeat(8)}example.com`;

test("a policy made of rules' texts is what the whole would be, in any company and under any id", () => {
  const texts = new PolicyTexts();
  const presets = Object.values(catalogue.presets).map(({ network }) => network);
  const policies: NetworkPolicies[] = [
    {},
    { one: shared, other: shared },
    { other: shared },
    { "443": rule(long), "a: b": shared, "#": rule("b.example.com") },
    ...presets,
    Object.assign({}, ...presets) as NetworkPolicies,
  ];
  for (const policy of [...policies, ...policies.toReversed()]) {
    const whole = { version: 1, network_policies: policy };
    expect(texts.of(policy)).toEqual({ yaml: renderObject(whole), digest: digestOf(whole) });
  }
});
