import { readFileSync } from "node:fs";

/**
 * runc as it runs here. A privileged container is given every capability that the kernel knows, and where this machine's
 * own root lacks one (CAP_SYS_RESOURCE, in many a sandbox) runc would refuse to start it: then it gets what root has.
 */
export function runcHere(): string {
  const status = readFileSync("/proc/self/status", "utf8");
  const own = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
  const lacking = oftenLacking.filter(([bit]) => ((own >> BigInt(bit)) & 1n) === 0n);
  const edits = lacking.map(([, name]) => `s/"${name}",//g;s/,"${name}"//g`).join(";");
  if (edits === "") return '#!/bin/sh\nexec /usr/sbin/runc "$@"\n';
  // A container's own process stands in its bundle; a further one (exec, a health check) in a file of its own.
  return `#!/bin/sh
previous=
for argument in "$@"; do
  case $previous in
    --bundle) sed -i '${edits}' "$argument/config.json" ;;
    --process) sed -i '${edits}' "$argument" ;;
  esac
  previous=$argument
done
exec /usr/sbin/runc "$@"
`;
}

/** Those that a sandboxed root may lack (linux/capability.h). */
const oftenLacking = [
  [16, "CAP_SYS_MODULE"],
  [17, "CAP_SYS_RAWIO"],
  [22, "CAP_SYS_BOOT"],
  [24, "CAP_SYS_RESOURCE"],
  [25, "CAP_SYS_TIME"],
  [34, "CAP_SYSLOG"],
  [38, "CAP_PERFMON"],
  [39, "CAP_BPF"],
  [40, "CAP_CHECKPOINT_RESTORE"],
] as const;
