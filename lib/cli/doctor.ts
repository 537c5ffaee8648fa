import { mkdir } from "node:fs/promises";
import path from "node:path";
import { Command } from "commander";
import type { Finding } from "./doctor-findings.ts";
import { note, plain, print, printJson, table } from "./output.ts";

/** `nacre doctor`: what this machine offers, each thing with what was found and the fix. */
export function doctor(): Command {
  return new Command("doctor")
    .description(
      "look at what this machine offers: kernel, engine, tools, network; with the fix for what lacks",
    )
    .option("--kits", "also read every byte of the installed kits, and compare it with what was installed")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExit code 1 when something lacks that a sandbox needs.\n\nExample:\n  $ nacre doctor",
    )
    .action(async (options: { readonly kits?: boolean; readonly json?: boolean }) => {
      const findings = [...(await look()), ...(options.kits === true ? await kits() : [])];
      if (options.json === true) printJson(findings);
      else {
        const marks = { ok: "✓", warning: "!", missing: "✗" } as const;
        print(
          table(
            ["", "WHAT", "FOUND"],
            findings.map(({ name, found, verdict }) => [marks[verdict], name, plain(found)]),
          ),
        );
        for (const { name, fix, verdict } of findings)
          if (verdict !== "ok" && fix !== undefined)
            note(`\n${marks[verdict]} ${name}\n  fix: ${plain(fix)}`);
      }
      if (findings.some(({ verdict }) => verdict === "missing")) process.exitCode = 1;
    });
}

/** Everything, in the order in which a start would need it. */
async function look(): Promise<Finding[]> {
  const { offerOf } = await import("../host/launcher.ts");
  const { cacheDirectory, operatorFile, stateDirectory } = await import("../host/paths.ts");
  const { readOperator } = await import("../host/operator.ts");
  const { nvidiaHost } = await import("./provider-key.ts");
  const { findEngine } = await import("../pulumi/engine.ts");
  const { kernelFindings, machineFindings, networkFinding, toolFinding } =
    await import("./doctor-findings.ts");
  const { engineFindings } = await import("./container-findings.ts");
  const { pluginFindings } = await import("./plugin-findings.ts");
  const state = stateDirectory();
  await mkdir(state, { recursive: true, mode: 0o700 });
  const granted = (await readOperator(operatorFile())).grants.map(({ host }) => host);
  const found = await findEngine({ cache: cacheDirectory(), searchOnly: true }).catch(() => undefined);
  const engine: Finding =
    found === undefined
      ? {
          name: "engine",
          found: "none on PATH or in the cache",
          verdict: "warning",
          fix: "nacre up downloads it, or builds it where Go is on PATH (4 minutes)",
        }
      : { name: "engine", found: `Pulumi ${found.version} at ${found.path}`, verdict: "ok" };
  return [
    ...kernelFindings(await offerOf()),
    ...(await machineFindings(state)),
    engine,
    ...pluginFindings(found?.path),
    ...(await engineFindings()),
    await toolFinding("cargo", ["--version"], "only a checkout builds the launcher: https://rustup.rs"),
    await toolFinding("git", ["--version"], "agents that clone need it: apt-get install git"),
    ...(await Promise.all([
      networkFinding(nvidiaHost, 443, granted),
      networkFinding("github.com", 443, granted),
      networkFinding("pypi.org", 443, granted),
      ...(await npmRegistry()).map((host) => networkFinding(host, 443, granted)),
    ])),
  ];
}

async function kits(): Promise<Finding[]> {
  const { cacheDirectory } = await import("../host/paths.ts");
  const { kitFindings } = await import("./doctor-findings.ts");
  return kitFindings(path.join(cacheDirectory(), "kits"));
}

/** The host that npm's configuration names: kits are fetched from there. */
async function npmRegistry(): Promise<string[]> {
  const { execFile } = await import("node:child_process");
  const { promisify } = await import("node:util");
  try {
    const { stdout } = await promisify(execFile)("npm", ["config", "get", "registry"], { timeout: 20_000 });
    return [new URL(stdout.trim()).hostname];
  } catch {
    return []; // Without npm no kit is installed.
  }
}
