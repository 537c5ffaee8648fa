import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readClientHello } from "../../lib/egress/client-hello.ts";
import { openingFault } from "../../lib/egress/first-bytes.ts";
import { clientHello, sized } from "./hello.ts";

const where = { host: "api.example.com", port: 443 };
const ech = [0xfe0d, Buffer.alloc(40)] as const;

describe("a ClientHello", () => {
  test("gives its server name", () => {
    expect(readClientHello(clientHello({ serverNames: ["api.example.com"] }))).toEqual({
      kind: "hello",
      serverName: "api.example.com",
      encrypted: false,
    });
  });

  test("is read however it is split over records and reads", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), fc.nat(), (split, cut) => {
        const bytes = clientHello({
          serverNames: ["api.example.com"],
          extensions: [[0x0a0a, Buffer.alloc(200)]],
          split,
        });
        const part = bytes.subarray(0, cut % bytes.length);
        expect(readClientHello(part).kind).toBe("more");
        expect(readClientHello(bytes)).toMatchObject({ kind: "hello", serverName: "api.example.com" });
      }),
    );
  });

  test.each([
    ["two server names", { serverNames: ["api.example.com", "evil.example"] }, "not exactly one"],
    [
      "an extension twice",
      { serverNames: ["a.example"], extensions: [[0, sized(2, Buffer.from([0, 0, 1, 98]))]] },
      "twice",
    ],
    ["a name that is not ASCII", { serverNames: ["api\xe9.example"] }, "not ASCII"],
    ["a name with a NUL", { serverNames: ["api.example.com\0.evil.example"] }, "not ASCII"],
  ] as const)("with %s is malformed", (_what, parts, reason) => {
    expect(readClientHello(clientHello(parts as never))).toMatchObject({
      kind: "malformed",
      reason: expect.stringContaining(reason) as string,
    });
  });

  test("that never ends is malformed, not waited for", () => {
    const endless = Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(40_000)]);
    expect(readClientHello(endless)).toMatchObject({ kind: "malformed" });
  });

  test("in records of one byte, one a packet, does not hold up what else there is to do", () => {
    const bytes = clientHello({ extensions: [[0x0a0a, Buffer.alloc(6000)]], split: 1 }).subarray(0, 32_000);
    const began = performance.now();
    for (let end = 6; end <= bytes.length; end += 6)
      expect(readClientHello(bytes.subarray(0, end)).kind).toBe("more");
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test("in records of no bytes is malformed", () => {
    expect(readClientHello(Buffer.from([22, 3, 1, 0, 0]))).toMatchObject({ kind: "malformed" });
  });

  test("is told from other protocols by the first byte", () => {
    expect(readClientHello(Buffer.from("GET / HTTP/1.1\r\n"))).toEqual({ kind: "other" });
    expect(readClientHello(Buffer.from("SSH-2.0-OpenSSH"))).toEqual({ kind: "other" });
    expect(readClientHello(Buffer.from([22]))).toEqual({ kind: "more" });
  });

  test("reading never throws, whatever the bytes", () => {
    const bytes = clientHello({ serverNames: ["api.example.com"], extensions: [ech] });
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of changes) changed[at] = value;
        expect(["more", "other", "hello", "malformed"]).toContain(readClientHello(changed).kind);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("a rule for TLS", () => {
  const fault = (bytes: Buffer, host = where.host): string | undefined =>
    openingFault(readClientHello(bytes), "r", { host, port: 443 }, true)?.reason;

  test("takes the very name, in any case and with a dot at the end", () => {
    expect(fault(clientHello({ serverNames: ["API.Example.com."] }))).toBeUndefined();
  });

  test("refuses another name, no name, a hidden name and what is no TLS", () => {
    expect(fault(clientHello({ serverNames: ["evil.example"] }))).toBe(
      "the ClientHello has the name evil.example, not api.example.com",
    );
    for (const serverName of ["evilapi.example.com", "x.api.example.com", "example.com"]) {
      expect(fault(clientHello({ serverNames: [serverName] }))).toContain(`the name ${serverName}`);
    }
    expect(fault(clientHello({}))).toContain("no server name");
    expect(fault(clientHello({ serverNames: ["api.example.com"], extensions: [ech] }))).toContain("ECH");
    expect(
      fault(clientHello({ serverNames: ["api.example.com"], extensions: [[0xffce, Buffer.alloc(4)]] })),
    ).toContain("ECH");
    expect(fault(Buffer.from("GET / HTTP/1.1\r\n\r\n"))).toContain("does not start with TLS");
  });

  test("for an address takes no name at all", () => {
    expect(fault(clientHello({}), "93.184.216.34")).toBeUndefined();
    expect(fault(clientHello({ serverNames: ["api.example.com"] }), "93.184.216.34")).toContain(
      "not 93.184.216.34",
    );
  });
});
