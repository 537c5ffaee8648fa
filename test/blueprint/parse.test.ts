import { expect, test } from "vitest";
import { examineBlueprint, parseBlueprint, readOverlay } from "../../lib/blueprint/index.ts";
import { NacreError } from "../../lib/error.ts";
import { catalogue, header, reading } from "./fixtures.ts";

const sources = { file: "blueprint.yaml", read: reading(), catalogue };

test("writes every default out", () => {
  const { agents, routes, metadata, warnings } = parseBlueprint(
    `${header}agents: { a: { kit: openclaw } }\n`,
    sources,
  );
  expect(metadata).toEqual({ name: "assistant", version: "1.0.0" });
  expect(routes).toEqual({});
  expect(warnings).toEqual([]);
  expect(agents).toEqual({
    a: {
      runs: { kind: "kit", kit: "openclaw" },
      policy: { version: 1 },
      presets: [],
      inference: null,
      credentials: {},
      isolation: "kernel",
      walls: { files: "required", syscalls: "required" },
      seccomp: null,
      resources: {},
      persist: ["/sandbox"],
      ports: [18789],
      restart: "always",
    },
  });
});

test("says out loud what is best effort", () => {
  const { warnings } = parseBlueprint(
    `${header}agents:
  a: { kit: openclaw, walls: { files: best_effort } }
  b: { kit: openclaw, policy: { version: 1, landlock: { compatibility: best_effort } } }
  c:
    kit: openclaw
    policy:
      version: 1
      network_policies: { x: { endpoints: [{ host: x.example, port: 443, protocol: rest, access: full, enforcement: audit }] } }\n`,
    sources,
  );
  expect(warnings).toEqual([
    "agent a: the files wall is best effort, so the agent also starts without it",
    "agent b: its policy asks for Landlock as best effort; it is required all the same (walls.files)",
    "agent c: rule x.endpoints[0].enforcement: audit forwards what its rules refuse, and only reports it",
  ]);
});

test("one error carries every problem, the first one as its subject", () => {
  const text = `${header}agents:\n  a:\n    kit: openclow\n    presets: [nmp]\n`;
  const error = thrown(() => parseBlueprint(text, sources));
  expect(error.code).toBe("invalid_blueprint");
  expect(error.subject).toBe("blueprint.yaml:6:10");
  expect(error.message.split("\n")).toEqual([
    "agents.a.kit: there is no kit openclow",
    "  fix: write openclaw",
    "blueprint.yaml:7:15: agents.a.presets[0]: there is no preset nmp",
    "  fix: write npm",
  ]);
  expect(error.hint).toBeUndefined();
});

test("a file with hundreds of problems lists twenty", () => {
  const agents = Array.from({ length: 300 }, (_, i) => `  a${i}: { kit: none }`).join("\n");
  const error = thrown(() => parseBlueprint(`${header}agents:\n${agents}\n`, sources));
  expect(error.message.split("\n")).toHaveLength(41);
  expect(error.message).toContain("and 280 more");
});

test("refuses more than 1 MiB without parsing it", () => {
  const { problems } = examineBlueprint(`${header}agents: {}\n# ${"x".repeat(1024 * 1024)}`, sources);
  expect(problems).toMatchObject([{ line: 1, column: 1, reason: "larger than 1 MiB" }]);
});

test.for([
  ["flow lists", "[".repeat(1_000_000)],
  ["block lists", "- ".repeat(500_000)],
  ["block maps", Array.from({ length: 1_400 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
  ["flow maps", "{a: ".repeat(250_000)],
])("refuses %s nested without end, in seconds", ([, text]) => {
  const begun = performance.now();
  const { blueprint, problems } = examineBlueprint(text!, sources);
  expect(blueprint).toBeUndefined();
  expect(problems.length).toBeGreaterThan(0);
  expect(performance.now() - begun).toBeLessThan(10_000);
});

test("a secret that was written where a name belongs is in no message", () => {
  const text = `${header}agents: { a: { kit: openclaw } }
inference: { providers: { n: { kind: nvidia, credential: nvapi-S3cr3t_Value } } }\n`;
  const error = thrown(() => parseBlueprint(text, sources));
  expect(JSON.stringify(error)).not.toContain("S3cr3t");
  expect(JSON.stringify(error)).not.toContain("s3cr3t");
});

test("what the reader says about a file that it cannot read is passed on", () => {
  const read = (): string => {
    throw new NacreError({ code: "x", subject: "p", message: "it lies outside", hint: "move it here" });
  };
  const text = `${header}agents:\n  a: { kit: openclaw, policy: ../../policy.yaml }\n`;
  const { problems } = examineBlueprint(text, { ...sources, read });
  expect(problems).toMatchObject([
    { line: 5, column: 31, reason: "cannot be read: it lies outside", fix: "move it here" },
  ]);
});

test("an overlay sets host ports and sizes, and nothing else", () => {
  const overlay = readOverlay(
    'agents:\n  a: { ports: { "18789": 28789 }, resources: { memory: 1Gi } }\n',
    "Pulumi.dev.yaml",
  );
  expect(overlay).toEqual({
    agents: { a: { ports: { 18789: 28789 }, resources: { memoryBytes: 2 ** 30 } } },
  });
  const wider = thrown(() => readOverlay("agents:\n  a: { presets: [npm] }\n", "Pulumi.dev.yaml"));
  expect(wider.subject).toBe("Pulumi.dev.yaml:2:8");
  expect(wider.message).toBe("agents.a.presets: unknown field");
});

function thrown(action: () => unknown): NacreError {
  try {
    action();
  } catch (error) {
    if (error instanceof NacreError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("says where it becomes too deep", () => {
  const { problems } = examineBlueprint(`${header}agents:\n  a: ${"[".repeat(80)}`, sources);
  expect(problems).toMatchObject([{ line: 5, column: 6 + 64, reason: "nested more than 64 deep" }]);
});

test("counts columns behind a byte order mark and Windows line ends", () => {
  const text = `\uFEFF${header}agents:\n  a: { kit: openclow }\n`.replaceAll("\n", "\r\n");
  expect(examineBlueprint(text, sources).problems).toMatchObject([
    { line: 5, column: 13, nearest: "openclaw" },
  ]);
});
