import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { identify, type ProcessIdentity } from "./process-identity.ts";
import { statusOf } from "./process-reading.ts";

/**
 * Init counts processes in its own pid namespace and cannot know their ids outside. The kernel tells both
 * (`NSpid` of proc_pid_status(5), outermost first).
 */

/** The id outside of the process that is `insidePid` to `init`; undefined when it is gone. */
export function outsidePid(init: ProcessIdentity, insidePid: number): number | undefined {
  return processes().find(({ parent, inside }) => parent === init.pid && inside === insidePid)?.pid;
}

/**
 * The init of the pid namespace `namespace` (an inode number), found by a process of it whose id inside is known. For
 * what was launched by a daemon that was killed before it could write down whom.
 */
export function initOfNamespace(namespace: number, insidePid: number): ProcessIdentity | undefined {
  const member = processes().find(
    ({ pid, inside }) => inside === insidePid && namespaceOf(pid) === `pid:[${namespace}]`,
  );
  return member === undefined ? undefined : identify(member.parent);
}

interface Found {
  readonly pid: number;
  readonly parent: number;
  /** Its id in its own pid namespace. */
  readonly inside: number;
}

function processes(): Found[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const status = statusOf(readFileSync(`/proc/${name}/status`, "latin1"));
      const ids = (status["NSpid"] ?? "").split(" ");
      return [{ pid: Number(name), parent: Number(status["PPid"]), inside: Number(ids.at(-1)) }];
    } catch {
      return [];
    }
  });
}

function namespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
