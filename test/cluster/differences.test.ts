import { expect, test } from "vitest";
import { differences } from "../../lib/cluster/differences.ts";

test("what the server adds to an object is its defaults; what is added to a list is somebody's", () => {
  const sent = { spec: { a: "x", list: [{ name: "one" }] } };
  expect(
    differences({ spec: { a: "x", b: 1, list: [{ name: "one", more: true }] }, status: {} }, sent),
  ).toEqual([]);
  expect(differences({ spec: { a: "y", list: [{ name: "one" }, { name: "two" }] } }, sent)).toEqual([
    "spec.a",
    "spec.list",
  ]);
  expect(differences({ spec: { a: "x", list: [{ name: "two" }] } }, sent)).toEqual(["spec.list[0].name"]);
});

test("nothing and empty are one, but what is empty in what was sent has to stay so", () => {
  const sent = { egress: [], selector: {}, text: "" };
  expect(differences({}, sent)).toEqual([]);
  expect(differences({ egress: [{}], selector: { matchLabels: { a: "b" } } }, sent)).toEqual([
    "egress",
    "selector",
  ]);
});

test("an empty selector that is not empty any more differs", () => {
  expect(
    differences({ podSelector: { matchLabels: { a: "b" } } }, { podSelector: { matchLabels: {} } }),
  ).toEqual(["podSelector.matchLabels"]);
});

test("false that the server leaves out is false, where nothing would be true it is not", () => {
  expect(differences({}, { hostNetwork: false, readOnly: false })).toEqual([]);
  expect(differences({}, { automountServiceAccountToken: false, hostUsers: false })).toEqual([
    "automountServiceAccountToken",
    "hostUsers",
  ]);
  expect(differences({ hostNetwork: true }, { hostNetwork: false })).toEqual(["hostNetwork"]);
});

test("amounts are compared by what they are", () => {
  expect(differences({ cpu: "1", memory: "2Gi" }, { cpu: "1000m", memory: "2147483648" })).toEqual([]);
  expect(differences({ cpu: "2" }, { cpu: "1000m" })).toEqual(["cpu"]);
});

test("words of the language have another name in the client's types", () => {
  expect(differences({ _from: [{}, {}] }, { from: [{}] })).toEqual(["from"]);
  expect(differences({ _from: [{ a: 1 }] }, { from: [{ a: 1 }] })).toEqual([]);
});
