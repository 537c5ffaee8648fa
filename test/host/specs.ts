import { readFileSync } from "node:fs";
import type { HostSandbox } from "../../lib/synth/host-objects.ts";

/** A sandbox description that asks for nothing; a test says what it is about. */
export const sandboxSpec = (parts: Partial<HostSandbox> = {}): HostSandbox => ({
  project: "test",
  environment: "dev",
  name: "assistant",
  workspace: "dev/assistant",
  agent: { kind: "command", command: ["/bin/sleep", "infinity"], env: {} },
  walls: { files: "required", syscalls: "required" },
  files: { readOnly: [], readWrite: ["/sandbox", "/tmp"] },
  seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] },
  network: {},
  inference: null,
  credentials: {},
  resources: {},
  ports: [],
  restart: "always",
  digests: { blueprint: "0", environment: "0" },
  ...parts,
});

/** Inference by one provider that wants the secret `key`. */
export const withCredential = (
  endpoint: string | undefined,
  credential = "key",
): HostSandbox["inference"] => ({
  route: { try: ["model"], timeoutSeconds: 60 },
  providers: { model: { kind: "openai", model: "m", endpoint, credential, trusted: false } },
});

const agentProfile = JSON.parse(
  readFileSync(new URL("../../policies/seccomp/agent.json", import.meta.url), "utf8"),
) as HostSandbox["seccomp"];

/** The same with the system call filter that ships: it can run. */
export const agentSpec = (parts: Partial<HostSandbox> = {}): HostSandbox =>
  sandboxSpec({ seccomp: agentProfile, ...parts });
