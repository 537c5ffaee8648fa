import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findingsOf, moduleFindings } from "../../lib/cli/container-findings.ts";
import { linesOf } from "../../lib/cli/gateway-logs.ts";
import { gatewayReport } from "../../lib/cli/gateway-status.ts";
import type { EngineFacts } from "../../lib/docker/facts.ts";
import { isWell, serverOf, statusOf } from "../../lib/gateway/status.ts";
import { K3s } from "../../lib/gateway/k3s.ts";
import { FakeK3s } from "../gateway/fake-k3s.ts";
import { place } from "./missing-run.ts";

describe("what a container engine offers a gateway", () => {
  const facts: EngineFacts = {
    engine: "docker",
    version: "29.0.4",
    apiVersion: "1.52",
    rootless: false,
    cgroupVersion: 2,
    limits: "enforced",
    privileged: "machine",
    storage: "overlay2",
  };
  const told = (changes: Partial<EngineFacts>) =>
    findingsOf({ ...facts, ...changes }, "unix:///d.sock").map(
      ({ name, found, verdict, fix = "" }) => `${verdict} ${name}: ${found} ${fix}`,
    );
  test("Docker", () => {
    expect(told({})).toEqual([
      expect.stringMatching(/^ok containers: Docker 29.0.4 at unix:\/\/\/d.sock/),
      expect.stringMatching(/^ok gateway root: .*root of this machine/),
      expect.stringMatching(/^ok gateway limits: cgroup v2/),
    ]);
  });
  test("rootless Docker: what does not work, and what it takes", () => {
    const [engine, root, limits] = told({ rootless: true, privileged: "namespace", limits: "dropped" });
    expect(engine).toMatch(/^ok containers: rootless Docker/);
    expect(root).toMatch(
      /^warning gateway root: .*no kernel parameter.*KubeletInUserNamespace=true.*Delegate=yes/,
    );
    expect(limits).toMatch(/^warning gateway limits: .*dropped.*delegated/);
  });
  test("Podman, remapped ids, and the old control groups", () => {
    expect(told({ engine: "podman" })[0]).toMatch(/^ok containers: Podman/);
    expect(told({ privileged: "on_request" })[1]).toMatch(/^ok .*userns=host/);
    expect(told({ cgroupVersion: 1 })[2]).toMatch(/^warning .*cgroup v1.*1\.35/);
  });
});

describe("modules of the kernel", () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), "nacre-modules-"));
  });
  afterEach(() => rmSync(base, { recursive: true }));
  const found = (files: Readonly<Record<string, string>>, loaded: readonly string[]) => {
    for (const name of loaded) mkdirSync(join(base, "sys", name), { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(base, name), text);
    const [finding] = moduleFindings(join(base, "sys"), base);
    return `${finding?.verdict}: ${finding?.found} ${finding?.fix ?? ""}`;
  };
  test("loaded or built in are there; one that only lies on the disk has to be loaded outside", () => {
    const files = {
      "modules.builtin": "kernel/fs/overlayfs/overlay.ko\n",
      "modules.dep": "kernel/net/bridge/br_netfilter.ko.zst: kernel/net/bridge/bridge.ko.zst\n",
    };
    expect(found(files, ["nf_conntrack", "vxlan"])).toMatch(
      /^warning: not loaded: br_netfilter modprobe -a br_netfilter/,
    );
    expect(found(files, ["nf_conntrack", "vxlan", "br_netfilter"])).toMatch(/^ok: /);
  });
});

async function* pieces(...texts: readonly (readonly ["stdout" | "stderr", string | Buffer])[]) {
  for (const [stream, text] of texts) {
    await Promise.resolve();
    yield { stream, bytes: Buffer.from(text) };
  }
}
test("a log's lines are whole, each stream by itself, also where a letter is cut in two", async () => {
  const letter = Buffer.from("é");
  const lines: string[] = [];
  for await (const line of linesOf(
    pieces(
      ["stdout", "one\ntw"],
      ["stderr", "oh"],
      ["stdout", "o\r\n"],
      ["stderr", letter.subarray(0, 1)],
      ["stderr", letter.subarray(1)],
      ["stdout", "end"],
    ),
  ))
    lines.push(line);
  expect(lines).toEqual(["one", "two", "end", "ohé"]);
});

describe("the status of a gateway", () => {
  let fake: FakeK3s;
  beforeEach(async () => {
    fake = await FakeK3s.start();
  });
  afterEach(() => fake.stop());
  const status = async () => {
    const container = await fake.engine.engine.inspectContainer("nacre-dev");
    return statusOf(new K3s(fake.engine.engine, "nacre-dev", serverOf(container)), container);
  };

  test("is what was read: a version, and a server that answers nobody without a certificate", async () => {
    fake.answers = { "/version": { gitVersion: "v1.34.2+k3s1" } };
    const read = await status();
    expect(read.api).toMatchObject({ ready: true, version: "v1.34.2+k3s1" });
    // This one answers everybody, and its archive holds no encryption: both are told.
    expect(read.anonymous).toBe("answered");
    expect(isWell(read)).toBe(false);
    expect(gatewayReport(read)).toMatch(/✗ anonymous +answered/);
    expect(isWell({ ...read, anonymous: "refused", secrets: "aescbc" })).toBe(true);
    expect(isWell({ ...read, anonymous: "refused", secrets: "identity" })).toBe(false);
    expect(isWell({ ...read, anonymous: "refused", secrets: "aescbc", published: ["0.0.0.0:6443"] })).toBe(
      false,
    );
  });

  test("of one that is not ready, or stopped, says so", async () => {
    fake.readyz = { status: 500, body: "[-]etcd failed" };
    expect((await status()).api).toEqual({ ready: false, reason: "/readyz: 500 [-]etcd failed" });
    fake.state = { Status: "exited", Running: false, ExitCode: 137 };
    const read = await status();
    expect(read).toMatchObject({
      state: "exited",
      exitCode: 137,
      api: { reason: "the container is stopped" },
    });
  });
});

describe("nacre gateway, where no engine is", () => {
  const nowhere = { DOCKER_HOST: "unix:///nowhere.sock" };
  test("says so with the way out", () => {
    for (const command of ["status", "stop", "logs"]) {
      const { code, err } = place().nacre(["gateway", command], { env: nowhere });
      expect(code).toBe(1);
      expect(err).toMatch(
        /unix:\/\/\/nowhere.sock: there is no such socket\n {2}fix: start Docker or Podman/,
      );
    }
  });
  test("has no kubeconfig to show", () => {
    const { code, err } = place().nacre(["gateway", "kubeconfig"], { env: nowhere });
    expect(code).toBe(1);
    expect(err).toMatch(/gateway nacre-dev: there is no .*kubeconfig\n {2}fix: nacre gateway up -s dev/);
  });
  test("refuses settings that are none, and a port that is none", () => {
    const here = place();
    here.write("gateway.yaml", "image: rancher/k3s:latest\n");
    const image = here.nacre(["gateway", "up", "--gateway", "gateway.yaml", "--preview"], { env: nowhere });
    expect(image.code).toBe(1);
    expect(image.err).toMatch(/gateway.yaml:1:8[^]*by its digest/);
    expect(here.nacre(["gateway", "up", "--port", "http"], { env: nowhere }).code).toBe(2);
  });
});
