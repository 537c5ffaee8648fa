import type { SandboxStatus, WallReading } from "../host/api.ts";
import { openText } from "../host/open-text.ts";
import { duration, plain } from "./output.ts";

/** The posture as a person reads it: per wall what was measured, and by what. Nothing here is a constant. */
export function statusReport(status: SandboxStatus, now: number, verbose: boolean): string {
  return [
    headline(status, now),
    ...status.problems.map((problem) => `  problem: ${plain(problem)}`),
    ...status.warnings.map((warning) => `  warning: ${plain(warning)}`),
    ...status.walls.flatMap((wall) => wallLines(wall, status, verbose)),
    ...execLines(status),
    ...networkLines(status, now),
    ...status.published.map(({ inside, outside }) => `  port      127.0.0.1:${outside} → ${inside} inside`),
    `  digest    blueprint ${short(status.digests.blueprint)}, environment ${short(status.digests.environment)}`,
  ].join("\n");
}

const short = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 12);

function headline(status: SandboxStatus, now: number): string {
  const { agent } = status;
  const since =
    agent === null || agent.startedAt === null || status.phase !== "running"
      ? ""
      : ` for ${duration(now - agent.startedAt)}, pid ${agent.pid}`;
  const again = agent === null || agent.restarts === 0 ? "" : `, restarted ${agent.restarts}×`;
  return `${status.id}  ${status.phase}${since}${again}, generation ${status.generation}`;
}

function wallLines(reading: WallReading, status: SandboxStatus, verbose: boolean): string[] {
  const probes = (status.probes ?? []).filter(({ wall }) => wall === reading.wall);
  const refused = probes.filter((probe) => probe.refused).length;
  const tried =
    status.probes === null
      ? "not probed"
      : `${refused} of ${probes.length} forbidden things refused from inside`;
  const measured = reading.measurements.map(({ what, value }) => `${what} ${value}`).join(", ");
  const lines = [`  ${reading.holds ? "✓" : "✗"} ${reading.wall.padEnd(11)} ${plain(measured)}; ${tried}`];
  for (const { what, value, wanted, source, holds } of reading.measurements)
    if (verbose || !holds)
      lines.push(
        `      ${holds ? "✓" : "✗"} ${plain(what)} = ${plain(value)}${wanted === undefined ? "" : ` (wanted ${plain(wanted)})`}, read from ${plain(source)}`,
      );
  for (const { name, refused: held, detail } of probes)
    if (verbose || !held)
      lines.push(
        `      ${held ? "✓" : "✗"} ${plain(name)}: ${held ? "refused" : "NOT refused"}, ${plain(detail)}`,
      );
  return lines;
}

function execLines({ exec }: SandboxStatus): string[] {
  if (exec === null) return [];
  if (exec.same) return [`  ✓ exec        the same as the agent in ${exec.compared.length} fields`];
  return exec.differences.map(
    ({ field, agent, exec: other }) =>
      `  ✗ exec        ${plain(field)}: agent ${plain(agent)}, exec ${plain(other)}`,
  );
}

function networkLines(status: SandboxStatus, now: number): string[] {
  const { egress, allows, blocks, grants } = status;
  const loaded =
    egress.loaded === null
      ? "no policy loaded"
      : `policy revision ${egress.loaded.revision}, ${short(egress.loaded.hash)}`;
  return [
    `  egress    ${egress.state}, ${loaded}`,
    ...liveRules(status, now),
    ...blocks.map(
      (block) => `  blocked   ${"all" in block ? "everything, inference included" : plain(block.host)}`,
    ),
    ...allows.map(
      (allow) => `  allowed   ${plain(openText(allow))}, for another ${duration(allow.until - now)}`,
    ),
    ...grants.map(
      ({ host, cidr, port }) => `  grant     ${plain(host)} may answer from ${cidr}, port ${port}`,
    ),
  ];
}

/** What is in force in place of the blueprint's rules, and what takes it back. */
function liveRules({ id, live }: SandboxStatus, now: number): string[] {
  if (live === null) return [];
  const rules = (["added", "changed", "removed"] as const).flatMap((kind) =>
    live[kind].map((rule) => `  live      rule ${plain(rule)} ${kind} by command`),
  );
  const source = `policy ${live.by}, ${duration(now - live.at)} ago`;
  return [...rules, `  live      by ${source}; nacre policy rollback ${id} --to up takes it back`];
}

/** Everything that was asked for is in force. */
export const healthy = (status: SandboxStatus): boolean =>
  status.phase === "running" &&
  status.problems.length === 0 &&
  status.egress.state === "running" &&
  status.egress.loaded !== null &&
  status.walls.every(({ holds }) => holds) &&
  (status.exec?.same ?? true);
