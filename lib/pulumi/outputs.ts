import { all, isSecret, output, RunError, type Input, type Output } from "@pulumi/pulumi";
import { isDeferred } from "../blueprint/index.ts";

const token = /\$\{deferred:(\d+)\}/;

/**
 * Values that only the engine knows, on their way through a construct tree, which holds plain texts: `text` gives a token
 * that stands for one, and the chart's resources get the value back in its place. What is synthesised, rendered and
 * digested holds tokens alone.
 */
export class Outputs {
  readonly #values: Output<string>[] = [];

  /** A text that a construct takes, in place of an output. No secret: those go by the names of Secrets. */
  text(value: Input<string>): string {
    if (typeof value === "string") return value;
    return `\${deferred:${this.#values.push(output(value)) - 1}}`;
  }

  /** @throws RunError where one of them is a secret: it would stand in an object that many may read. */
  async refuseSecrets(): Promise<void> {
    for (const value of this.#values) {
      if (await isSecret(value))
        throw new RunError(
          "a secret output was given as a text of the construct tree\n  fix: put it into a Secret of the cluster, and name that in the target's settings",
        );
    }
  }

  /** The same value with outputs in the place of tokens. */
  resolve(value: unknown): unknown {
    if (typeof value === "string") return isDeferred(value) ? this.#filled(value) : value;
    if (Array.isArray(value)) return value.map((item) => this.resolve(item));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, this.resolve(field)]));
  }

  #filled(text: string): Output<string> {
    const parts = text.split(token).map((part, index) => {
      if (index % 2 === 0) return output(part);
      const value = this.#values[Number(part)];
      if (value === undefined)
        throw new RunError(`\${deferred:${part}} stands for no output of this program`);
      return value;
    });
    return all(parts).apply((known) => known.join(""));
  }
}
