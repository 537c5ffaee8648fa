import { z } from "zod";
import type { AgentOverlay, Blueprint, Overlay } from "./blueprint.ts";
import { readText } from "./described.ts";
import { nameSchema, portSchema } from "./names.ts";
import { nearest } from "./nearest.ts";
import { bytesOf } from "./quantities.ts";
import { resourcesSchema } from "./schema.ts";

/** What an environment may set for itself: host ports and sizes. Never what an agent may reach. */
export const overlaySchema = z.strictObject({
  agents: z
    .record(
      nameSchema,
      z.strictObject({
        ports: z
          .record(z.string().regex(/^\d{1,5}$/, 'a port in quotes: "8080"'), portSchema)
          .optional()
          .describe('The host\'s port by the port inside: `{ "18789": 28789 }`.'),
        resources: resourcesSchema
          .omit({ egressPerDay: true })
          .optional()
          .describe("Replaces the blueprint's limits, one by one."),
      }),
    )
    .optional()
    .describe("By the agent's name."),
});

/** Reads an overlay from YAML. Throws one `NacreError` with every problem. */
export function readOverlay(text: string, file: string): Overlay {
  const { agents = {} } = readText(overlaySchema, text, file);
  const entries = Object.entries(agents).map(([name, { ports, resources }]): [string, AgentOverlay] => {
    const { memory, ...limits } = resources ?? {};
    const bytes = memory === undefined ? undefined : bytesOf(memory);
    const size = { ...limits, ...(bytes === undefined ? {} : { memoryBytes: bytes }) };
    return [name, { ...(ports && { ports }), ...(resources && { resources: size }) }];
  });
  return { agents: Object.fromEntries(entries) };
}

/** What of an overlay fits no agent of the blueprint: each a sentence with its fix. */
export function misfits(overlay: Overlay, blueprint: Blueprint): string[] {
  const names = Object.keys(blueprint.agents);
  return Object.entries(overlay.agents ?? {}).flatMap(([name, { ports = {} }]) => {
    const agent = blueprint.agents[name];
    if (agent === undefined) {
      const meant = nearest(name, names);
      const fix = meant === undefined ? `the agents are ${names.join(", ")}` : `write ${meant}`;
      return [`overlay: there is no agent ${name} (${fix})`];
    }
    return Object.keys(ports)
      .filter((port) => !agent.ports.includes(Number(port)))
      .map(
        (port) =>
          `overlay: agent ${name} publishes no port ${port} (add it to the agent's ports, or remove it here)`,
      );
  });
}
