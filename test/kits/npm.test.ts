import { execFileSync } from "node:child_process";
import { chmodSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configuredRegistry, findNpm } from "../../lib/host/kits/npm.ts";
import { temporary, write } from "./folder.ts";

const npm = await findNpm();
/** An own home, so that nobody's .npmrc has a say. */
const environment = (npmrc: string) => {
  const home = temporary();
  write(home, { ".npmrc": npmrc });
  const { PATH } = process.env;
  return {
    PATH,
    HOME: home,
    NPM_CONFIG_USERCONFIG: join(home, ".npmrc"),
    NPM_CONFIG_GLOBALCONFIG: "/dev/null",
  };
};
const registry = (npmrc: string) => configuredRegistry(npm, environment(npmrc));

test("finds the npm that a link on PATH leads to", async () => {
  const folder = temporary();
  write(folder, {
    "lib/node_modules/npm/bin/npm-cli.js": "",
    "bin/npm": "-> ../lib/node_modules/npm/bin/npm-cli.js",
  });
  expect(await findNpm({ PATH: join(folder, "bin") })).toEqual({
    folder: realpathSync(join(folder, "lib/node_modules/npm")),
  });
});

test("asks a shim where its npm is", async () => {
  const folder = temporary();
  write(folder, {
    "tools/lib/node_modules/npm/bin/npm-cli.js": "",
    "shims/npm": `#!/bin/sh\necho ${join(folder, "tools/lib/node_modules")}\n`,
  });
  chmodSync(join(folder, "shims/npm"), 0o755);
  expect(await findNpm({ PATH: join(folder, "shims") })).toEqual({
    folder: realpathSync(join(folder, "tools/lib/node_modules/npm")),
  });
});

test("passes over what cannot be looked at, and a shim that fails", async () => {
  const folder = temporary();
  write(folder, { "loop/npm": "-> npm", "broken/npm": "#!/bin/sh\nexit 1\n" });
  chmodSync(join(folder, "broken/npm"), 0o755);
  const path = (...names: string[]) => ({ PATH: names.map((name) => join(folder, name)).join(":") });
  await expect(findNpm(path("loop", "broken"))).rejects.toMatchObject({ code: "npm_missing" });
});

test("takes the npm that called it before any other", async () => {
  const folder = temporary();
  write(folder, { "npm/bin/npm-cli.js": "" });
  const found = await findNpm({ ...process.env, npm_execpath: join(folder, "npm/bin/npm-cli.js") });
  expect(found.folder).toBe(realpathSync(join(folder, "npm")));
});

test("without an npm it says so", async () => {
  await expect(findNpm({ PATH: temporary() })).rejects.toMatchObject({ code: "npm_missing" });
});

test("what it found is an npm", () => {
  const version = execFileSync(process.execPath, [join(npm.folder, "bin/npm-cli.js"), "--version"], {
    encoding: "utf8",
  });
  expect(version).toMatch(/^\d+\./);
});

test("reads which registry npm is configured for, and its authorities", async () => {
  expect(
    await registry(
      "registry=https://npm.corp.example:8443/all\n//npm.corp.example:8443/all/:_authToken=sesame",
    ),
  ).toEqual({
    url: new URL("https://npm.corp.example:8443/all"),
    port: 8443,
    authorities: undefined,
  });
  const folder = temporary();
  write(folder, { "ca.pem": "-----BEGIN CERTIFICATE-----" });
  expect(await registry(`registry=http://npm.corp.example\ncafile=${join(folder, "ca.pem")}`)).toMatchObject({
    port: 80,
    authorities: "-----BEGIN CERTIFICATE-----",
  });
});

test("reads the global configuration of the operator's npm, not of the npm that called it", async () => {
  const prefix = temporary();
  write(prefix, {
    "lib/node_modules/npm": `-> ${npm.folder}`,
    "bin/node": `-> ${process.execPath}`,
    "etc/npmrc": "registry=https://global.example/",
  });
  const called = { npm_config_globalconfig: "/dev/null", npm_config_prefix: temporary() };
  const { PATH } = process.env;
  const found = await configuredRegistry(
    { folder: join(prefix, "lib/node_modules/npm") },
    { PATH, HOME: temporary(), NPM_CONFIG_PREFIX: prefix, ...called },
  );
  expect(found.url.href).toBe("https://global.example/");
});

test.for([
  ["registry=http://localhost:4873", "loopback"],
  ["registry=http://127.0.0.1:4873", "loopback"],
  ["registry=https://user:pw@npm.corp.example", "password"],
  ["registry=https://npm.corp.example\nstrict-ssl=false", "strict-ssl is off"],
  ["registry=https://npm.corp.example\nhttps-proxy=http://proxy.corp.example:3128", "proxy"],
])("refuses %s", async ([npmrc = "", reason]) => {
  await expect(registry(npmrc)).rejects.toMatchObject({
    code: "registry_unusable",
    message: expect.stringContaining(reason ?? ""),
  });
});
