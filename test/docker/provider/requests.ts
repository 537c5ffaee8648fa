import type { DockerRequest } from "../../../lib/docker/connection.ts";
import type { DockerEngine } from "../../../lib/docker/engine.ts";
import { NacreError } from "../../../lib/error.ts";

/** One request whose answer is JSON or nothing. */
export async function call(docker: DockerEngine, what: DockerRequest): Promise<any> {
  const response = await docker.request({ patience: 60_000, ...what });
  const text = Buffer.concat(await response.toArray()).toString();
  return text === "" ? undefined : JSON.parse(text);
}

/** `undefined` for what is not there. */
export async function found<Result>(asked: Promise<Result>): Promise<Result | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof NacreError && /_not_found$/.test(error.code)) return undefined;
    throw error;
  }
}

export const labelsOf = (labels: readonly { label: string; value: string }[] = []): Record<string, string> =>
  Object.fromEntries(labels.map(({ label, value }) => [label, value]));
