import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { clusterIdentifier, kubeconfigText, readAccess } from "../../lib/gateway/kubeconfig.ts";
import { Authority } from "./fake-k3s.ts";

let authority: Authority;
beforeAll(() => {
  authority = new Authority();
});
afterAll(() => authority.remove());

test("three values are taken from K3s' file, and the file for clients holds nothing else of it", () => {
  const text = authority.kubeconfig;
  const access = readAccess(text, "it");
  const made = parse(kubeconfigText("nacre-dev", "https://127.0.0.1:7443", access));
  const [{ cluster }] = parse(text).clusters;
  expect(made.clusters).toEqual([
    { name: "nacre-dev", cluster: { ...cluster, server: "https://127.0.0.1:7443" } },
  ]);
  expect(made.users).toEqual([{ name: "nacre-dev", user: parse(text).users[0].user }]);
  expect(made["current-context"]).toBe("nacre-dev");
});

test("a file that would run a program on this machine becomes one that runs none", () => {
  const hostile = parse(authority.kubeconfig);
  hostile.users[0].user.exec = { apiVersion: "client.authentication.k8s.io/v1", command: "/bin/sh" };
  hostile.clusters[0].cluster["insecure-skip-tls-verify"] = true;
  hostile.clusters[0].cluster["proxy-url"] = "http://evil.example";
  const text = kubeconfigText("nacre-dev", "https://127.0.0.1:6443", readAccess(stringify(hostile), "it"));
  expect(text).not.toMatch(/exec|command|proxy|insecure|evil/);
});

test.each([
  ["no YAML", "clusters: [", "is no YAML"],
  ["nothing", "{}", "clusters"],
  ["no key", stringify({ clusters: [], users: [] }), "clusters"],
  [
    "data that is no certificate",
    stringify({
      clusters: [{ cluster: { "certificate-authority-data": Buffer.from("hello").toString("base64") } }],
      users: [],
    }),
    "is no PEM of a certificate",
  ],
])("a file that is not K3s' is refused: %s", (_, text, reason) => {
  expect(() => readAccess(text, "it")).toThrow(reason);
});

test("what is wrong with a file is said without quoting it", () => {
  const broken = `${authority.kubeconfig}\n: : [s3cr3t`;
  try {
    readAccess(broken, "it");
    expect.unreachable();
  } catch (error) {
    expect(JSON.stringify(error)).not.toContain("s3cr3t");
  }
});

test("a cluster is known by its authority alone", () => {
  const access = readAccess(authority.kubeconfig, "it");
  expect(clusterIdentifier(access)).toBe(
    clusterIdentifier({ ...access, key: "other", certificate: "other" }),
  );
  expect(clusterIdentifier(access)).not.toBe(clusterIdentifier({ ...access, authority: "other" }));
  expect(clusterIdentifier(access)).toMatch(/^k3s-[0-9a-f]{32}$/);
});
