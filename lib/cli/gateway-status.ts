import { Command } from "commander";
import type { GatewayStatus } from "../gateway/status.ts";
import { gatewayPlace, withGateway, type GatewayOption } from "./gateway-place.ts";
import { plain, print, printJson } from "./output.ts";

interface StatusOptions extends GatewayOption {
  readonly json?: boolean;
}

/** `nacre gateway status`: as Docker, the API server and the container's files say it now. */
export function gatewayStatus(): Command {
  return withGateway(new Command("status"))
    .description("show how the gateway is, as read from the container engine and from the API server")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExit code 1 when it is not ready, or not as it has to be.\n\nExamples:\n  $ nacre gateway status\n  $ nacre gateway status --json | jq .api",
    )
    .action(async (options: StatusOptions) => {
      const { engine, name, container } = await gatewayPlace(options);
      const { K3s } = await import("../gateway/k3s.ts");
      const { isWell, serverOf, statusOf } = await import("../gateway/status.ts");
      const status = await statusOf(new K3s(engine, name, serverOf(container)), container);
      if (options.json === true) printJson(status);
      else print(gatewayReport(status));
      if (!isWell(status)) process.exitCode = 1;
    });
}

/** A line for each thing, with a mark where it is as it has to be, or is not. */
export function gatewayReport(status: GatewayStatus): string {
  const { api, secrets, published, anonymous } = status;
  const mark = (good: boolean): string => (good ? "✓" : "✗");
  const local = published.every((at) => at.startsWith("127.0.0.1:"));
  const ended = status.exitCode === undefined ? "" : `, exit code ${status.exitCode}`;
  const lines: (readonly [string, string, string])[] = [
    [mark(status.state === "running"), "container", `${status.state} since ${status.since}${ended}`],
    [" ", "image", `${status.image} (${status.imageId.slice(0, 19)}…)`],
    [
      mark(api.ready),
      "api",
      api.ready ? `Kubernetes ${api.version}, ready; cluster ${api.cluster}` : api.reason,
    ],
    [mark(anonymous === "refused"), "anonymous", anonymous ?? "not read"],
    [
      mark(secrets !== undefined && secrets !== "identity"),
      "secrets",
      secrets === undefined
        ? "not read"
        : secrets === "identity"
          ? "lie open in the database"
          : `encrypted at rest (${secrets})`,
    ],
    [mark(local), "port", published.length === 0 ? "none" : published.join(", ")],
    [" ", "data", status.volumes.map(({ name, path }) => `${name} → ${path}`).join(", ")],
    ...(status.restarts === 0 ? [] : [[" ", "restarts", String(status.restarts)] as const]),
    ...(status.privileged
      ? [["!", "privileged", "whoever gets out of a pod is root of this machine"] as const]
      : []),
  ];
  return [
    `gateway ${plain(status.name)}`,
    ...lines.map(([sign, name, text]) => `  ${sign} ${name.padEnd(10)} ${plain(text)}`),
  ].join("\n");
}
