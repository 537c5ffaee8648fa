import type { Command } from "commander";
import type { GatewayDocument } from "../blueprint/index.ts";
import type { Container } from "../docker/container.ts";
import { DockerEngine } from "../docker/engine.ts";
import { NacreError } from "../error.ts";
import { contextOf, type Context, type StackOption } from "./context.ts";

export interface GatewayOption extends StackOption {
  /** A file of the gateway's settings. */
  readonly gateway?: string;
  /** The container's name. */
  readonly name?: string;
}

export const withGateway = (command: Command): Command =>
  command
    .option("-s, --stack <name>", "the environment")
    .option("--gateway <file>", "the gateway's settings, in place of the stack file's nacre:gateway")
    .option("--name <container>", "the container, where the settings do not name it");

/** The settings that are written; nothing, where there is no file and none is named. */
export async function gatewayDocument(
  context: Context,
  { gateway, name }: GatewayOption,
): Promise<GatewayDocument> {
  const { loadGateway } = await import("../pulumi/blueprint-file.ts");
  const { readStackFile } = await import("./environment.ts");
  const settings = gateway === undefined ? readStackFile(context.stackFile)?.gateway : loadGateway(gateway);
  return { ...settings, ...(name !== undefined && { name }) };
}

/** What is said where a gateway was never made: nothing wrote the file that leads to it. */
export const unmade = (name: string, kubeconfig: string, stack: string): NacreError =>
  new NacreError({
    code: "kubeconfig_absent",
    subject: `gateway ${name}`,
    message: `there is no ${kubeconfig}`,
    hint: `nacre gateway up -s ${stack} writes it`,
  });

/** One gateway of this machine: its engine and its container. */
export interface GatewayPlace {
  readonly engine: DockerEngine;
  readonly name: string;
  readonly container: Container;
}

/**
 * Finds the container of the environment's gateway. One that Nacre did not make is nobody's gateway: nothing is read of
 * it, and it is not stopped.
 * @throws NacreError `gateway_absent`, `gateway_foreign`, and why no engine answers
 */
export async function gatewayPlace(options: GatewayOption): Promise<GatewayPlace> {
  const context = contextOf(options);
  const name = (await gatewayDocument(context, options)).name ?? `nacre-${context.stack}`;
  const engine = await DockerEngine.find();
  const container = await engine.inspectContainer(name).catch((error: unknown) => {
    if (!(error instanceof NacreError) || error.code !== "container_not_found") throw error;
    throw new NacreError({
      code: "gateway_absent",
      subject: `gateway ${name}`,
      message: `there is no such container in ${engine.host}`,
      hint: `nacre gateway up -s ${context.stack} makes it; --name names another`,
    });
  });
  if (container.Config.Labels?.["app.kubernetes.io/managed-by"] !== "nacre")
    throw new NacreError({
      code: "gateway_foreign",
      subject: `container ${name}`,
      message: "Nacre did not make it (it has no label app.kubernetes.io/managed-by: nacre)",
      hint: "name a gateway with --name",
    });
  return { engine, name, container };
}
