import { output, secret, type Output } from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { Outputs } from "../../lib/pulumi/outputs.ts";

const valueOf = (value: unknown): Promise<unknown> =>
  new Promise((resolve) => {
    (output(value) as Output<unknown>).apply(resolve);
  });

test("a text is itself; an output is a token, and itself again in what is deployed", async () => {
  const outputs = new Outputs();
  expect(outputs.text("plain")).toBe("plain");
  const name = outputs.text(output("fast-disks"));
  const other = outputs.text(output(Promise.resolve("zone-a")));
  expect(name).toMatch(/^\$\{deferred:0\}$/);
  const manifest = { spec: { storageClassName: name, list: [`${name}-${other}`, 1, null, true] } };
  expect(JSON.stringify(manifest)).not.toContain("fast-disks");
  expect(await valueOf(outputs.resolve(manifest))).toEqual({
    spec: { storageClassName: "fast-disks", list: ["fast-disks-zone-a", 1, null, true] },
  });
});

test("what has no token in it stays a plain value, which the engine knows at once", () => {
  const value = { a: ["text", 3, { b: false }] };
  expect(new Outputs().resolve(value)).toEqual(value);
});

test("a secret is refused: it would stand in an object that many may read", async () => {
  const outputs = new Outputs();
  outputs.text(output("fine"));
  await expect(outputs.refuseSecrets()).resolves.toBeUndefined();
  outputs.text(secret<string>("s3cr3t"));
  await expect(outputs.refuseSecrets()).rejects.toThrow(/a secret output.*\n {2}fix: put it into a Secret/);
});

test("a token of another program stands for nothing here", () => {
  expect(() => new Outputs().resolve("${deferred:7}")).toThrow("stands for no output");
});
