import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "../../lib/host/paths.ts";
import type { IpAddress } from "../../lib/policy/address.ts";
import type { Manifest } from "../../lib/synth/kubernetes.ts";
import { holds, rangeOf, type Range } from "./address-blocks.ts";
import { nothing, type Connections } from "./connections.ts";

/** IBM's analyser of NetworkPolicies, and what it needs; its own pins say the rest. */
const pins = ["network-config-analyzer==2.1.0", "fastcore==2.2.41", "packaging==26.4", "soupsieve==4.1.3"];

/** One process for many questions: starting it takes longer than an answer. */
const PROGRAM = `
import sys
from nca.nca_cli import nca_main
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    path = f"{number}.yaml"
    code = nca_main(["--connectivity", "-r", path, "-o", "txt_no_fw_rules", "--output_endpoints", "pods",
                     "--print_ipv6", "-f", path + ".txt"])
    if code != 0:
        sys.exit(f"{path}: {code}")
`;

/** An end of a connection: a pod as `namespace/name`, or an address. */
export type End = string | IpAddress;

/** What passes, as the analyser has it. */
export class Judgement {
  readonly #pods = new Map<string, Connections>();
  readonly #outward = new Map<string, { range: Range; passes: Connections }[]>();
  readonly #inward = new Map<string, { range: Range; passes: Connections }[]>();

  constructor(report: string) {
    for (const line of report.split("\n")) {
      if (line.trim() === "") continue;
      const [, source = "", destination = "", text = ""] = /^(\S+) => (\S+) : (.+)$/.exec(line) ?? [];
      const passes = connectionsOf(text);
      if (source.includes("/") && destination.includes("/")) {
        const key = `${source} ${destination}`;
        this.#pods.set(key, sorted([...(this.#pods.get(key) ?? []), ...passes]));
        continue;
      }
      const [map, pod, range] = source.includes("/")
        ? [this.#outward, source, destination]
        : [this.#inward, destination, source];
      map.set(pod, [...(map.get(pod) ?? []), { range: rangeOf(range), passes }]);
    }
  }

  /** What passes from one end to the other, of which one at least is a pod. */
  between(source: End, destination: End): Connections {
    if (typeof source === "string" && typeof destination === "string") {
      return this.#pods.get(`${source} ${destination}`) ?? nothing;
    }
    if (typeof source === "string") return at(this.#outward.get(source), destination as IpAddress);
    return at(this.#inward.get(destination as string), source);
  }

  /** Wherever what passes may change from one address to the next. */
  get ranges(): readonly Range[] {
    return [...this.#outward.values(), ...this.#inward.values()].flat().map(({ range }) => range);
  }
}

const at = (
  found: readonly { range: Range; passes: Connections }[] | undefined,
  address: IpAddress,
): Connections =>
  sorted((found ?? []).filter(({ range }) => holds(range, address)).flatMap((one) => one.passes));

/** `All connections`, or `{protocols:TCP, UDP,dst_ports:53,8000-8002}`. Anything else is not understood, and said so. */
function connectionsOf(text: string): Connections {
  if (text === "All connections") return ["any"];
  const [, protocols, ports] = /^\{protocols:([A-Z, ]+?)(?:,dst_ports:([0-9,-]+))?\}$/.exec(text) ?? [];
  if (protocols === undefined) throw new Error(`the analyser says what is not understood here: ${text}`);
  return protocols.split(", ").flatMap((protocol) => portsOf(ports).map((port) => `${protocol} ${port}`));
}

function portsOf(text: string | undefined): readonly string[] {
  if (text === undefined) return ["all"];
  return text.split(",").flatMap((part) => {
    const [from = 0, to = from] = part.split("-").map(Number);
    if (to - from > 100) return [part];
    return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
  });
}

const sorted = (connections: Connections): Connections =>
  [...new Set(connections)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));

const DECIDES: ReadonlySet<string> = new Set(["Namespace", "NetworkPolicy", "Deployment", "Pod"]);

/** Asks the analyser about clusters, each by its objects. Of each Deployment there are two pods. */
export async function judge(
  clusters: ReadonlyMap<string, readonly Manifest[]>,
): Promise<Map<string, Judgement>> {
  const folder = mkdtempSync(join(tmpdir(), "nacre-judge-"));
  try {
    const names = [...clusters.keys()];
    names.forEach((name, number) =>
      writeFileSync(join(folder, `${number}.yaml`), textOf(clusters.get(name) ?? [])),
    );
    const program = python();
    const half = Math.ceil(names.length / 2);
    await Promise.all(
      [
        [0, half],
        [half, names.length],
      ].map(([from, to]) =>
        promisify(execFile)(program, ["-c", PROGRAM, String(from), String(to)], { cwd: folder }).catch(
          (error: unknown) => {
            throw new Error(`the analyser did not answer: ${(error as { stderr: string }).stderr}`);
          },
        ),
      ),
    );
    return new Map(
      names.map((name, number) => [
        name,
        new Judgement(readFileSync(join(folder, `${number}.yaml.txt`), "utf8")),
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function textOf(manifests: readonly Manifest[]): string {
  return manifests
    .filter(({ kind }) => DECIDES.has(kind))
    .map((manifest) => JSON.stringify(manifest.kind === "Deployment" ? twice(manifest) : manifest))
    .join("\n---\n");
}

/** What of a Deployment decides: its pods' labels. The rest only takes the analyser's time. */
function twice(deployment: Manifest): object {
  const { template } = deployment["spec"] as { template: { metadata: object } };
  const pods = { metadata: template.metadata, spec: { containers: [] } };
  return { ...deployment, spec: { replicas: 2, template: pods } };
}

/** A Python of its own with the analyser; made once a machine. */
export function python(): string {
  const digest = createHash("sha256").update(pins.join()).digest("hex").slice(0, 8);
  const folder = join(cacheDirectory(), "test", `network-${digest}`);
  const program = join(folder, "bin/python");
  if (!existsSync(join(folder, "made"))) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, ".."), { recursive: true });
    execFileSync("python3", ["-m", "venv", folder]);
    execFileSync(program, ["-m", "pip", "install", "-q", ...pins], { stdio: "pipe" });
    writeFileSync(join(folder, "made"), "");
  }
  return program;
}
