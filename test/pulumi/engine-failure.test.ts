import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { engineFailure } from "../../lib/pulumi/engine-failure.ts";
import { engineByHand } from "../../lib/pulumi/provider-plugins.ts";
import { engineSettings } from "../../lib/pulumi/settings.ts";

test("the engine's own words are told once, without the command around them", () => {
  const text =
    "code: -2\n stdout: \n stderr: Command failed with exit code 1: pulumi up\nerror: no space left\n err?: Error: x\nerror: no space left";
  expect(engineFailure(new Error(text))).toMatchObject({ code: "engine_failed", message: "no space left" });
});

test("a lock, a wrong passphrase and a killed engine each have their error and its fix", () => {
  const locked =
    "the stack is currently locked by 1 lock(s).\n  file:///x: created by u@box (pid 7) at 2026-11-24T17:00:19Z";
  expect(engineFailure(new Error(locked))).toMatchObject({
    code: "stack_locked",
    message: "another run holds it: process 7 on box, since 2026-11-24T17:00:19.000Z",
  });
  expect(engineFailure(new Error("error: get stack secrets manager: incorrect passphrase"))).toMatchObject({
    code: "passphrase_wrong",
    hint: expect.stringContaining("PULUMI_CONFIG_PASSPHRASE") as string,
  });
  expect(
    engineFailure(new Error("Command was killed with SIGKILL (Forced termination): pulumi up")).message,
  ).toBe("it was killed (SIGKILL)");
});

test("a plugin that is not installed is said with the command that installs it where it is looked for", () => {
  const text =
    "error: no resource plugin 'pulumi-resource-docker' found in the workspace at version v5.2.0 or on your $PATH";
  expect(engineFailure(new Error(text), engineByHand("/cache/engine/pulumi", "/cache/pulumi"))).toMatchObject(
    {
      code: "plugin_missing",
      subject: "Pulumi plugin docker",
      hint: "PULUMI_HOME=/cache/pulumi /cache/engine/pulumi plugin install resource docker 5.2.0",
    },
  );
  expect(engineFailure(new Error(text)).hint).toBe("pulumi plugin install resource docker 5.2.0");
});

test("a project whose name would leave its folder is refused, and nothing is made", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nacre-settings-"));
  const refusal = engineSettings({ stateDirectory: folder, cache: folder }, "../escape");
  await expect(refusal).rejects.toMatchObject({ code: "project_invalid" });
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
