import { expect, test } from "vitest";
import { parseAddress, type IpAddress } from "../../lib/policy/address.ts";
import { guard, readGrants } from "../../lib/policy/guard.ts";

const ips = (...texts: string[]): IpAddress[] =>
  texts.map((text) => {
    const address = parseAddress(text);
    if (address === undefined) throw new Error(text);
    return address;
  });
const registry = { host: "registry.corp.example", port: 443 };
const grants = readGrants([{ host: "registry.corp.example", cidr: "10.1.2.0/24", port: 443 }]);
const world = { own: ips("203.0.113.9", "9.9.9.9"), grants };

test("public answers pass", () => {
  expect(guard(registry, ips("8.8.8.8", "2606:4700::1"), world)).toHaveLength(2);
});

test("one private answer refuses the name whole, with the grant that would allow it", () => {
  expect(guard({ host: "db.example", port: 5432 }, ips("8.8.8.8", "10.0.0.1"), world)).toMatchObject({
    verdict: "deny",
    layer: "address",
    reason: "db.example answers with 10.0.0.1, a private address",
    fix: { grant: { host: "db.example", cidr: "10.0.0.1/32", port: 5432 } },
  });
});

test("a mapped answer is the address that it carries", () => {
  expect(guard(registry, ips("::ffff:10.1.2.9"), world)).toEqual(ips("10.1.2.9"));
  expect(guard(registry, ips("::ffff:127.0.0.1"), world)).toMatchObject({ verdict: "deny" });
});

test("the host's own address is refused though its block is public", () => {
  expect(guard(registry, ips("9.9.9.9"), world)).toMatchObject({
    verdict: "deny",
    reason: "registry.corp.example answers with 9.9.9.9, an address of this host",
  });
});

test("a grant is for its name, its port and its block", () => {
  expect(guard(registry, ips("10.1.2.3"), world)).toHaveLength(1);
  expect(guard({ ...registry, port: 8443 }, ips("10.1.2.3"), world)).toMatchObject({ verdict: "deny" });
  expect(guard({ ...registry, host: "other.corp.example" }, ips("10.1.2.3"), world)).toMatchObject({
    verdict: "deny",
  });
  expect(guard(registry, ips("10.1.3.3"), world)).toMatchObject({ verdict: "deny" });
});

test("a metadata service is reached by a grant of that one address only", () => {
  const wide = readGrants([{ host: "m.example", cidr: "169.254.0.0/16", port: 80 }]);
  const exact = readGrants([{ host: "m.example", cidr: "169.254.169.254/32", port: 80 }]);
  const where = { host: "m.example", port: 80 };
  expect(guard(where, ips("169.254.169.254"), { own: [], grants: wide })).toMatchObject({ verdict: "deny" });
  expect(guard(where, ips("169.254.169.254"), { own: [], grants: exact })).toHaveLength(1);
});

test("a loopback literal passes by the grant of the local model of the contract", () => {
  const local = readGrants([{ host: "127.0.0.1", cidr: "127.0.0.1/32", port: 11434 }]);
  expect(
    guard({ host: "127.0.0.1", port: 11434 }, ips("127.0.0.1"), { own: ips("127.0.0.1"), grants: local }),
  ).toHaveLength(1);
});

test("a grant with a wildcard or a careless block is an error that says so", () => {
  expect(() => readGrants([{ host: "*.corp.example", cidr: "10.0.0.0/8", port: 443 }])).toThrow(
    "no wildcard",
  );
  expect(() => readGrants([{ host: "a.example", cidr: "10.0.0.1/8", port: 443 }])).toThrow("not a block");
});
