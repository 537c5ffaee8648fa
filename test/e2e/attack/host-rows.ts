import { join } from "node:path";
import { calls, connects, line, reads, runs, speaks, writes } from "./programs.ts";
import type { Row } from "./rows.ts";

const key = /a key of the host/;
const done = /^done$/m;
const became = /^root$|uid=0|euid=0/m;

/** Of the sandbox' own folder of the state directory. */
const own = (state: string, name: string): string => join(state, "sandboxes", "dev--assistant", name);

/** What is tried on the host's files, processes and kernel. */
export const hostRows: readonly Row[] = [
  { what: "the host's ~/.ssh", walls: ["mounts", "files"], done: key, attempts: ({ key }) => reads(key) },
  {
    what: "a link in the workspace that points out",
    walls: ["mounts", "files"],
    done: key,
    attempts: (_, { workspace }) => [
      // git shows where a link leads, not what is there.
      ...reads(join(workspace, "link")).filter(({ program }) => program !== "git"),
      ...reads(join(workspace, "folder-link/id_ed25519")),
    ],
  },
  {
    what: "writing outside the workspace",
    walls: ["mounts", "files"],
    done: /written/,
    attempts: ({ open }) => writes(open),
  },
  {
    what: "writing into the system",
    walls: ["mounts", "files", "ids"],
    done: /written/,
    who: "nobody", // The row above has the same words.
    attempts: () => ["/etc", "/usr/bin", "/opt"].flatMap((folder) => writes(folder)),
  },
  {
    what: "the daemon's socket",
    walls: ["mounts"],
    done: /^connected$/m,
    attempts: ({ state }) => {
      const path = join(state, "daemon.sock");
      return [...connects({ path }), speaks("--unix-socket", path)];
    },
  },
  {
    what: "the egress' socket, and init's",
    walls: ["mounts"],
    done: /^connected$/m,
    attempts: ({ state }) =>
      ["egress.sock", "init.sock"].flatMap((name) => connects({ path: own(state, name) })),
  },
  {
    what: "a unix socket of the host",
    walls: ["mounts"],
    done: /^connected$/m,
    attempts: ({ socket }) => connects({ path: socket }),
  },
  {
    what: "mounting",
    walls: ["syscalls", "ids", "files"],
    who: "root",
    done,
    attempts: () => [
      line("mount", 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d"'),
      calls(`import tempfile; at = tempfile.mkdtemp().encode()
must(libc.mount(b"none", at, b"tmpfs", 0, None)); must(libc.umount(at))`),
      line("unshare", "unshare --mount true"),
    ],
  },
  {
    what: "ptrace",
    walls: ["syscalls"],
    done,
    attempts: () => [
      line("strace", "strace -o /dev/null true"),
      calls(`child = os.fork()
if child == 0: os.execvp("sleep", ["sleep", "60"])
try: must(libc.ptrace(16, child, None, None))
finally: os.kill(child, 9)`),
    ],
  },
  {
    what: "a new user namespace",
    walls: ["syscalls", "ids"],
    done,
    attempts: () => [
      line("unshare", "unshare --user true"),
      line("bwrap", "bwrap --unshare-user --ro-bind / / true"),
      calls("must(libc.unshare(0x10000000))"),
    ],
  },
  {
    what: "/proc/1/environ",
    walls: ["ids"],
    done: /NACRE_STATE_DIR|PATH=|HOME=/,
    attempts: (_, { process }) =>
      // git takes what says that it has no bytes for empty.
      reads(`/proc/${process}/environ`).filter(({ program }) => program !== "git"),
  },
  {
    what: "programs of the system that become root",
    walls: ["ids", "mounts"],
    who: "root",
    done: became,
    attempts: () => [runs("su", "root", "-c", "id"), line("newgrp", "newgrp root <<< id")],
  },
  {
    what: "planted programs that become root",
    walls: ["ids", "mounts"],
    done: became,
    attempts: ({ planted }, { workspace }) =>
      planted === undefined
        ? []
        : [runs(join(workspace, planted.id)), runs(join(workspace, planted.bash), "-p", "-c", "id")],
  },
];
