import { beforeEach, expect, test, vi } from "vitest";
import { named } from "../../lib/cli/destination.ts";
import { allow } from "../../lib/cli/allow.ts";
import { block, unblock } from "../../lib/cli/block.ts";
import { denials } from "../../lib/cli/denials.ts";
import type { Denial } from "../../lib/host/api.ts";

const call = vi.fn<(method: string, body: unknown) => unknown>();
const ask = vi.fn<(question: { readonly message: string }) => Promise<boolean>>();
vi.mock("../../lib/cli/daemon.ts", () => ({
  connect: () =>
    Promise.resolve({ call: (method: string, body: unknown) => Promise.resolve(call(method, body)) }),
}));
vi.mock("@inquirer/prompts", () => ({ confirm: ask }));

const denial = (parts: Partial<Denial>): Denial => ({
  id: "843e99dc",
  at: 0,
  host: "example.com",
  port: null,
  binary: null,
  rule: null,
  layer: "network",
  reason: "no rule names example.com",
  fix: "nacre allow dev/assistant 843e99dc",
  allow: { host: "example.com", port: 443 },
  ...parts,
});

let written = "";
beforeEach(() => {
  written = "";
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, "write").mockImplementation((text) => (written += String(text)) !== "");
  const { isTTY } = process.stdin;
  process.stdin.isTTY = true;
  call.mockReset();
  ask.mockReset();
  return () => {
    vi.restoreAllMocks();
    process.stdin.isTTY = isTTY;
    process.exitCode = undefined;
  };
});
const run = (command: ReturnType<typeof allow>, ...args: string[]) =>
  command.exitOverride().parseAsync(args, { from: "user" });

test.each([
  ["843e99dc", { id: "843e99dc" }],
  ["API.Example.com", { host: "api.example.com" }],
  ["api.example.com:8443", { host: "api.example.com", port: 8443 }],
  ["192.0.2.1:80", { host: "192.0.2.1", port: 80 }],
  ["2001:DB8::1", { host: "2001:db8::1" }],
  ["[2001:db8::1]:80", { host: "2001:db8::1", port: 80 }],
])("%s names %j", (what, meant) => {
  expect(named(what)).toEqual(meant);
});

test.each([
  "",
  "*",
  "*.com",
  "bad host",
  "a.example:0",
  "a.example:99999",
  ":443",
  "https://a.example",
  "1.2.3",
])("%j is bad use, and says what to write", (what) => {
  expect(() => named(what)).toThrow(
    expect.objectContaining({ code: "usage_destination", hint: expect.any(String) }),
  );
});

test.each([
  ["no", () => Promise.resolve(false)],
  ["Ctrl-C", () => Promise.reject(Object.assign(new Error("closed"), { name: "ExitPromptError" }))],
])("asks with the port that will be allowed; %s is exit code 1, and nothing is done", async (_, answer) => {
  call.mockReturnValue([denial({})]);
  ask.mockImplementation(answer);
  await run(allow(), "assistant", "843e99dc", "--for", "30m");
  expect(ask.mock.calls[0]?.[0].message).toBe("let dev/assistant reach example.com:443 for 30m?");
  expect(call.mock.calls.map(([method]) => method)).toEqual(["denials"]);
  expect(written).toBe("nothing was done\n");
  expect(process.exitCode).toBe(1);
});

test("what a person is asked is the denial itself, and nothing in it acts on the terminal", async () => {
  const hostile = "a\u001b[2J\r\u202eb";
  call.mockReturnValue([denial({ allow: { host: hostile, port: 443, binary: hostile } })]);
  ask.mockResolvedValue(false);
  await run(allow(), "-s", "dev", "assistant", "843e99dc");
  const shown = "a\\x1b[2J\\x0d\\u{202e}b";
  expect(ask.mock.calls[0]?.[0].message).toBe(`let dev/assistant reach ${shown}:443 from ${shown} for 1h?`);
});

test("where nobody is there to answer, nothing is allowed", async () => {
  process.stdin.isTTY = false;
  call.mockReturnValue([denial({})]);
  await expect(run(allow(), "-s", "dev", "assistant", "843e99dc")).rejects.toMatchObject({
    code: "usage_confirmation",
    hint: "add --yes",
  });
  expect(ask).not.toHaveBeenCalled();
  expect(call.mock.calls.map(([method]) => method)).not.toContain("allow");
});

test("a denial that no rule would lift says so before it asks", async () => {
  call.mockReturnValue([denial({ allow: null, fix: "none: because", reason: "it is a metadata address" })]);
  await expect(run(allow(), "assistant", "843e99dc")).rejects.toMatchObject({
    code: "denial_not_allowable",
    hint: "none: because",
  });
  expect(ask).not.toHaveBeenCalled();
});

test("one request is named by method and path, both or neither, and never beside a denial", async () => {
  call.mockReturnValue({
    allow: { host: "a.example", port: 443, method: "GET", path: "/x", until: 1 },
    revision: 1,
    enforcedMs: 2,
  });
  await run(allow(), "assistant", "a.example", "--method", "get", "--path", "/x", "--yes");
  const what = { host: "a.example", port: 443, method: "GET", path: "/x" };
  expect(call).toHaveBeenCalledWith("allow", { id: "dev/assistant", what, seconds: 3600 });
  expect(written).toMatch(/^dev\/assistant may reach GET \/x of a\.example:443 until /);
  call.mockReset();
  for (const half of [
    ["--method", "GET"],
    ["--path", "/x"],
  ])
    await expect(run(allow(), "assistant", "a.example", ...half)).rejects.toMatchObject({
      code: "usage_request",
    });
  const denied = ["843e99dc", "--method", "GET", "--path", "/x"];
  await expect(run(allow(), "assistant", ...denied)).rejects.toMatchObject({ code: "usage_request" });
  expect(call).not.toHaveBeenCalled();
});

test.each([
  [["--method", "GET", "--path", "issues"], "does not start with a slash"],
  [["--method", "GET", "--path", "/a/../b"], "is not what is sent in the end"],
  [["--method", "GET", "--path", "/a?b=c"], "a query is no part of the path"],
  [["--method", "*", "--path", "/a"], "is every method"],
  [["--method", "FETCH", "--path", "/a"], "is not a method"],
])("a request that is never sent so, %j, is bad use and reaches no daemon", async (request, reason) => {
  await expect(run(allow(), "assistant", "a.example", ...request, "--yes")).rejects.toMatchObject({
    code: "usage_request",
    message: expect.stringContaining(reason),
    hint: expect.any(String),
  });
  expect(call).not.toHaveBeenCalled();
});

test("an allow under a block says that nothing is open, and what ends the block", async () => {
  const blocked = { reason: "a.example is blocked", fix: "nacre unblock dev/assistant 'a.example'" };
  const done = { allow: { host: "a.example", port: 443, until: 1 }, revision: 1, enforcedMs: 2 };
  call.mockReturnValue({ ...done, blocked });
  await run(allow(), "assistant", "a.example", "--yes");
  expect(written).toContain(
    "but a.example is blocked, and a block wins: nacre unblock dev/assistant 'a.example'\n",
  );
  written = "";
  call.mockReturnValue(done);
  await run(allow(), "assistant", "a.example", "--yes");
  expect(written).not.toContain("block");
});

test("a refused request is asked about as what it is, its path harmless", async () => {
  call.mockReturnValue([
    denial({ allow: { host: "example.com", port: 443, method: "POST", path: "/a\u001b[2J" } }),
  ]);
  ask.mockResolvedValue(false);
  await run(allow(), "assistant", "843e99dc");
  expect(ask.mock.calls[0]?.[0].message).toBe(
    "let dev/assistant reach POST /a\\x1b[2J of example.com:443 for 1h?",
  );
});

test("a request that was refused for its query is asked about with that query, and no other", async () => {
  const request = { host: "example.com", port: 443, method: "GET", path: "/a" };
  call.mockReturnValue([denial({ allow: { ...request, query: "kind=x" } })]);
  ask.mockResolvedValue(false);
  await run(allow(), "assistant", "843e99dc");
  expect(ask.mock.calls[0]?.[0].message).toBe(
    "let dev/assistant reach GET /a?kind=x of example.com:443 for 1h?",
  );
  call.mockReturnValue([denial({ allow: { ...request, query: "" } })]);
  await run(denials(), "assistant");
  expect(written).toContain("# GET /a without a query\n");
});

test("longer than 30 days is bad use", async () => {
  await expect(run(allow(), "assistant", "a.example", "--for", "31d")).rejects.toMatchObject({
    code: "usage_duration",
    message: expect.stringContaining("30d"),
  });
  expect(call).not.toHaveBeenCalled();
});

test("--remove takes an allow back without a question, at every port where none is named", async () => {
  call.mockReturnValue({ ended: [{ host: "a.example", port: 443 }], revision: 3, enforcedMs: 2 });
  await run(allow(), "assistant", "--remove", "a.example");
  expect(call).toHaveBeenCalledWith("disallow", { id: "dev/assistant", what: { host: "a.example" } });
  expect(written).toMatch(/^dev\/assistant: a\.example:443 is not allowed any more/);
});

test("every denial has its fix, to be pasted", async () => {
  const grant = "add to /home/me/.config/nacre/host.yaml: grants: []";
  call.mockReturnValue([denial({}), denial({ id: "00000001", allow: null, fix: grant })]);
  await run(denials(), "assistant");
  expect(written).toContain("fix for 843e99dc: nacre allow dev/assistant 843e99dc\n");
  expect(written).toContain(`fix for 00000001: ${grant}\n`);
});

test("the fix of a refused request says which request, as a shell's comment, harmless", async () => {
  call.mockReturnValue([
    denial({ allow: { host: "example.com", port: 443, method: "PUT", path: "/a\nreboot" } }),
  ]);
  await run(denials(), "assistant");
  expect(written).toContain("fix for 843e99dc: nacre allow dev/assistant 843e99dc  # PUT /a\\x0areboot\n");
});

test("unblock says so where nothing was blocked, and what still is", async () => {
  call.mockReturnValue({ ended: false, blocks: [{ all: true }], revision: 3, enforcedMs: 2 });
  await run(unblock(), "assistant", "a.example");
  expect(written).toContain("dev/assistant: a.example was not blocked; blocked: everything");
  call.mockReturnValue({ ended: true, blocks: [], revision: 3, enforcedMs: 2 });
  await run(unblock(), "assistant", "--all");
  expect(written).toContain("dev/assistant: everything unblocked");
  await expect(run(block(), "assistant", "bad host")).rejects.toMatchObject({ code: "usage_destination" });
});

test.each([
  ["https://api.example.com", "write api.example.com"],
  ["https://api.example.com/", "write api.example.com"],
  ["api.example.com/v1/items", "write api.example.com --method GET --path /v1/items"],
  ["https://api.example.com:8443/v1?a=b", "write api.example.com --method GET --path /v1"],
])("%s is more than a host, and a path opens no whole host", (what, hint) => {
  expect(() => named(what)).toThrow(expect.objectContaining({ code: "usage_destination", hint }));
});

test("a program that owns no socket is refused before anything is asked for", async () => {
  await expect(run(allow(), "assistant", "a.example.com", "--binary", "curl", "--yes")).rejects.toMatchObject(
    { code: "usage_binary", message: expect.stringContaining("not absolute") },
  );
  expect(call).not.toHaveBeenCalled();
});

test.each([
  ["*", "nacre block assistant --all"],
  ["a.example.com:443", "write a.example.com"],
])("a block of %s says what to write", async (what, hint) => {
  await expect(run(block(), "assistant", what)).rejects.toMatchObject({ hint });
  expect(call).not.toHaveBeenCalled();
});
