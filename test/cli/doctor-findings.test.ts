import { expect, test, vi } from "vitest";
import { networkFinding } from "../../lib/cli/doctor-findings.ts";

test("a name that answers from a private address comes with the grant, and the file that it goes into", async () => {
  vi.stubEnv("XDG_CONFIG_HOME", "/home/me/settings");
  const finding = await networkFinding("localhost", 443, []);
  expect(finding.verdict).toBe("warning");
  expect(finding.fix).toContain(
    "add to /home/me/settings/nacre/host.yaml: grants: [{ host: localhost, cidr: ",
  );
  vi.unstubAllEnvs();
});
