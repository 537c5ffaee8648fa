import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { place, run } from "./missing-run.ts";

/** What bash offers where the last word ends. */
function offersIn({ project, nacre }: ReturnType<typeof place>) {
  const made = nacre(["completion", "bash"]).out;
  return (...words: string[]): string[] => {
    const quoted = ["nacre", ...words].map((word) => `'${word}'`).join(" ");
    const asked = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _nacre; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { out, err } = run(["bash", "-c", `${made}\n${asked}`], project, process.env);
    expect(err).toBe("");
    return out.split("\n").filter((line) => line !== "");
  };
}

test("bash offers commands, what belongs to each, and what an option or an argument may be", () => {
  const here = place();
  const offers = offersIn(here);
  expect(offers("sy")).toEqual(["synth"]);
  expect(offers("synth", "--target", "")).toEqual(["host", "gateway", "cluster"]);
  expect(offers("up", "-t", "c")).toEqual(["cluster"]);
  expect(offers("reference", "")).toEqual(expect.arrayContaining(["blueprint", "policy", "targets"]));
  expect(offers("gateway", "")).toEqual(expect.arrayContaining(["up", "status", "kubeconfig"]));
  expect(offers("gateway", "up", "--i")).toEqual(["--image"]);
  expect(offers("gateway", "status", "--")).not.toContain("--image");
  expect(offers("up", "--blueprint", "")).toEqual([]); // files, by the shell
});

test("bash offers the stacks that have a file, where Pulumi.yaml has them", () => {
  const here = place();
  const offers = offersIn(here);
  expect(offers("up", "-s", "")).toEqual([]);
  for (const stack of ["dev", "prod"]) here.write(`Pulumi.${stack}.yaml`, "");
  expect(offers("config", "check", "-s", "")).toEqual(["dev", "prod"]);
  expect(offers("up", "-s", "dev", "--stack", "p")).toEqual(["prod"]);
  here.write("Pulumi.yaml", "name: acme\nstackConfigDir: stacks\n");
  mkdirSync(join(here.project, "stacks"));
  here.write("stacks/Pulumi.gateway.yaml", "");
  expect(offers("status", "-s", "")).toEqual(["gateway"]);
});

test("fish is told what a command does, apostrophes too", () => {
  expect(place().nacre(["completion", "fish"]).out).toContain(
    "-a secret -d 'say what a credential\\'s name means",
  );
});
