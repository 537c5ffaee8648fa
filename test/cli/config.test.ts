import { describe, expect, test } from "vitest";
import { expectError, place, sleeper } from "./missing-run.ts";

const pods = sleeper("    walls: { files: best_effort, syscalls: best_effort }\n");

/** A stack on a cluster, with this below `nacre:cluster`. */
const stack = (...lines: readonly string[]): string =>
  ["config:", "  nacre:target: cluster", "  nacre:cluster:", ...lines.map((line) => `    ${line}`), ""].join(
    "\n",
  );

describe("a secret that stands where its name belongs is shown by no command", () => {
  const planted = "nvapi-PLANTED_0123456789abcdefghij";

  test("the fix says what belongs there, and what to do about a real one", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", stack(`secrets: { nvidia: ${planted} }`));
    expectError(nacre(["config", "check"]), {
      code: 1,
      subject: /Pulumi\.dev\.yaml:4:24: .*\.secrets\.nvidia: /,
      reason: /must be fields$/m,
      fix: /fix: write \{ secret: NAME, key: KEY \}: the Secret's name, never its value; if .*, revoke it/,
    });
  });

  test("whichever command reads it", () => {
    const { nacre, write } = place(pods);
    write("Pulumi.dev.yaml", stack(`secrets: { nvidia: ${planted} }`));
    for (const args of [
      ["config", "check"],
      ["config", "check", "--json"],
      ["synth"],
      ["preview"],
      ["status"],
    ]) {
      const { code, out, err } = nacre(args);
      expect({ code, said: (out + err).includes("secrets.nvidia") }).toEqual({ code: 1, said: true });
      expect((out + err).toLowerCase()).not.toContain("planted");
    }
  });
});

test("of several problems each has its own fix", () => {
  const { nacre, write } = place(pods);
  write("Pulumi.dev.yaml", stack("namespace: Team", "ranges: [10.0.0.1/8]"));
  expect(nacre(["config", "check"]).err).toMatch(
    /:4:16: .*namespace: .*\n +fix: write team\n +.*:5:14: .*ranges\[0\]: .*\n +fix: .*10\.42\.0\.0\/16$/m,
  );
});
