import { seccompText, type HostSandbox, type HostWorkspace } from "../../lib/synth/host-objects.ts";

export const workspace = (name = "assistant"): HostWorkspace => ({
  project: "nacre",
  environment: "dev",
  name,
});

export const sandbox = (changes: Partial<HostSandbox> = {}): HostSandbox => ({
  project: "nacre",
  environment: "dev",
  name: "assistant",
  workspace: "dev/assistant",
  agent: { kind: "command", command: ["sleep", "600"], env: {} },
  walls: { files: "required", syscalls: "required" },
  files: { readOnly: ["/opt/kit"], readWrite: ["/sandbox"] },
  seccomp: {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["read", "write"], action: "SCMP_ACT_ALLOW" }],
  },
  network: {
    github: { endpoints: [{ host: "github.com", port: 443 }], binaries: [{ path: "/usr/bin/git" }] },
  },
  inference: null,
  credentials: {},
  resources: { pids: 64 },
  ports: [{ inside: 8080, outside: 0 }],
  restart: "always",
  digests: { blueprint: "sha256:b", environment: "sha256:e" },
  ...changes,
});

/** As the engine sends it. */
export const sent = (changes: Partial<HostSandbox> = {}) => {
  const { seccomp, ...spec } = sandbox(changes);
  return { ...spec, seccomp: seccompText(seccomp) };
};
