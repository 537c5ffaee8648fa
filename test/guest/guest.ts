import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { launcherPath } from "../../lib/host/launcher.ts";
import type { SandboxSpec } from "../../lib/host/launch-spec.ts";
import { archive, file, folder, link, type Entry } from "./archive.ts";
import type { Kernel } from "./debian.ts";

export interface Step {
  readonly name: string;
  readonly user: "root" | "user";
  readonly script: string;
}

export interface Boot {
  readonly kernel: Kernel;
  /** Further words of the kernel's command line. */
  readonly words?: readonly string[];
  /** Loaded before the first step; a dependency of one is, too. */
  readonly modules: readonly string[];
  /** Laid at `/modules` for a step to load. */
  readonly loose?: readonly string[];
  readonly specs: Readonly<Record<string, SandboxSpec>>;
  readonly steps: readonly Step[];
}

export interface Stepped {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const here = import.meta.dirname;

/**
 * Boots the kernel in a machine of one processor that has a serial line and nothing else, and runs the steps as who they
 * say. Emulated where no KVM is: a boot takes seconds all the same.
 */
export async function boot(options: Boot): Promise<ReadonlyMap<string, Stepped>> {
  const work = mkdtempSync(join(tmpdir(), "nacre-guest-"));
  try {
    const [initrd, results, console] = ["initrd", "results", "console"].map((name) => join(work, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(initrd, archive(contents(options)));
    const words = ["console=ttyS0", "quiet", "panic=-1", "random.trust_cpu=on", ...(options.words ?? [])];
    const machine = spawn(
      "qemu-system-x86_64",
      [
        ...["-M", "pc,accel=tcg", "-cpu", "max", "-smp", "1", "-m", "512"],
        ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
        ...["-kernel", options.kernel.image, "-initrd", initrd, "-append", words.join(" ")],
        ...["-serial", `file:${console}`, "-serial", `file:${results}`],
      ],
      { stdio: ["ignore", "ignore", "pipe"], timeout: 180_000, killSignal: "SIGKILL" },
    );
    let said = "";
    machine.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
    const code = await new Promise((resolve, reject) => machine.once("error", reject).once("exit", resolve));
    const lines = readFileSync(results, "latin1").split(/\r?\n/);
    if (!lines.includes("end"))
      throw new Error(`the guest ended early (${String(code)}) ${said}\n${readFileSync(console, "latin1")}`);
    return new Map(lines.flatMap(stepOf));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function stepOf(line: string): [string, Stepped][] {
  if (line.startsWith("module ")) throw new Error(`the guest does not load ${line}`);
  const [, name, code, out, err] = /^step \d+-(\S+)\.\w+ (\d+) =(\S*) =(\S*)$/.exec(line) ?? [];
  if (name === undefined || out === undefined || err === undefined) return [];
  const text = (base64: string): string => Buffer.from(base64, "base64").toString("utf8");
  return [[name, { code: Number(code), out: text(out), err: text(err) }]];
}

function contents({ kernel, modules, loose = [], specs, steps }: Boot): Entry[] {
  const [loaded, lying] = [kernel.modules(...modules), kernel.modules(...loose)];
  return [
    ...["nacre", "new", "steps", "usr"].map(folder),
    file("init", readFileSync(join(here, "init.sh")), 0o755),
    file("bin/busybox", readFileSync("/bin/busybox"), 0o755),
    file("bin/nacre-launcher", readFileSync(launcherPath()), 0o755),
    file("bin/ask.pl", readFileSync(join(here, "ask.pl"))),
    ...program("/usr/bin/perl"),
    file("etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n"),
    file("etc/group", "root:x:0:\nuser:x:1000:\n"),
    file("etc/shadow", "root:*:1::::::\nuser:*:1::::::\n", 0o600),
    file("modules/order", loaded.map((path) => basename(path)).join("\n")),
    ...[...new Set([...loaded, ...lying])].map((path) =>
      file(`modules/${basename(path)}`, readFileSync(path)),
    ),
    ...Object.entries(specs).map(([name, spec]) => file(`nacre/${name}.json`, JSON.stringify(spec))),
    ...steps.map(({ name, user, script }, index) =>
      file(`steps/${String(index).padStart(2, "0")}-${name}.${user}`, script, 0o755),
    ),
  ];
}

/** A program of this machine's with the libraries that it is linked with. */
function program(path: string): Entry[] {
  const linked = execFileSync("ldd", [path], { encoding: "utf8" });
  const libraries = [...linked.matchAll(/(\/lib\S+)/g)].map(([name]) => name);
  return [
    file(`bin/${basename(path)}`, readFileSync(path), 0o755),
    ...libraries.map((name) => file(name.slice(1), readFileSync(realpathSync(name)), 0o755)),
    link("usr/bin", "/bin"),
  ];
}
