import type { Construct } from "constructs";
import type { AgentSpec, Blueprint, RouteSpec, Runs } from "../blueprint/index.ts";
import { AgentKit } from "./agent-kit.ts";
import { AgentSandbox } from "./agent-sandbox.ts";
import { Command } from "./command.ts";
import { Inference } from "./inference.ts";
import { Isolation } from "./isolation.ts";
import { Preset } from "./preset.ts";
import { PrivacyRouter } from "./privacy-router.ts";
import { SeccompProfile } from "./profiles.ts";
import { Route } from "./route.ts";

/** The constructs that a blueprint states: one sandbox an agent, by its name, and one router for all routes. */
export function addAgents(scope: Construct, blueprint: Blueprint): void {
  const routes = Object.entries(blueprint.routes).map(([name, route]) => [name, routeOf(route)] as const);
  // Agents' names are in lower case, so this id is free.
  if (routes.length > 0) new PrivacyRouter(scope, "PrivacyRouter", { routes: Object.fromEntries(routes) });
  for (const [name, agent] of Object.entries(blueprint.agents)) addAgent(scope, name, agent);
}

function addAgent(scope: Construct, name: string, spec: AgentSpec): AgentSandbox {
  return new AgentSandbox(scope, name, {
    agent: agentOf(spec.runs),
    policy: spec.policy,
    egress: spec.presets.map((preset) => Preset.named(preset)),
    ...(spec.inference === null ? {} : { inference: routeOf(spec.inference) }),
    credentials: spec.credentials,
    isolation: Isolation[spec.isolation](),
    walls: spec.walls,
    seccomp: spec.seccomp === null ? SeccompProfile.default() : SeccompProfile.of(spec.seccomp),
    resources: spec.resources,
    persist: spec.persist,
    ports: spec.ports,
    restart: spec.restart,
  });
}

function agentOf(runs: Runs): AgentKit | Command {
  if (runs.kind === "kit") return AgentKit.named(runs.kit);
  const [program = "", ...args] = runs.command;
  return Command.of(program, ...args).withEnv(runs.env);
}

function routeOf({ try: specs, timeoutSeconds }: RouteSpec): Route {
  const [first, ...others] = specs.map((spec) => Inference.of(spec));
  if (first === undefined) throw new RangeError("a route has at least one provider");
  return Route.try(first, ...others).withTimeout(`${timeoutSeconds}s`);
}
