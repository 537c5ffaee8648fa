import { limits } from "./limits.ts";

/** What the first bytes of a connection are. */
export type FirstBytes =
  | { readonly kind: "more" }
  | { readonly kind: "other" }
  | {
      readonly kind: "hello";
      readonly serverName: string | undefined;
      readonly encrypted: boolean;
      /** The protocols that it offers (ALPN, RFC 7301); `undefined`: it offers none by name. */
      readonly protocols: readonly string[] | undefined;
    }
  | { readonly kind: "malformed"; readonly reason: string };

const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
const protocolsExtension = 16;
/** RFC 9849 (encrypted ClientHello) and the ESNI drafts before it: the name that counts would be another one. */
const encryptedExtensions: readonly number[] = [0xfe0d, 0xffce];

class Malformed extends Error {}

/**
 * Reads a ClientHello (RFC 8446, 4.1.2; RFC 6066, 3) out of its records, which may split it anywhere. Strict where the
 * name is concerned: what two readers could take for different names is malformed.
 */
export function readClientHello(bytes: Buffer): FirstBytes {
  if (bytes.length === 0) return { kind: "more" };
  if (bytes[0] !== handshakeRecord || (bytes.length > 1 && bytes[1] !== 3)) return { kind: "other" };
  try {
    const message = handshakeOf(bytes);
    if (message === undefined) {
      return bytes.length > limits.helloBytes ? malformed("longer than 32 KiB") : { kind: "more" };
    }
    return { kind: "hello", ...namesOf(new Reader(message)) };
  } catch (error) {
    if (error instanceof Malformed) return malformed(error.message);
    throw error;
  }
}

/**
 * The body of the first handshake message, once it is whole. Until then nothing is copied: it is asked again with each
 * packet, and records of one byte each must not make that work grow.
 */
function handshakeOf(bytes: Buffer): Buffer | undefined {
  const head = Buffer.alloc(4);
  let have = 0;
  let at = 0;
  while (at + 5 <= bytes.length) {
    if (bytes[at] !== handshakeRecord) throw new Malformed("a record of another kind inside the ClientHello");
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16384) throw new Malformed("a record of no or too much length");
    const start = at + 5;
    at = start + length;
    const end = Math.min(at, bytes.length);
    if (have < 4) bytes.copy(head, have, start, end);
    have += end - start;
    if (have < 4) continue;
    if (head[0] !== clientHello) throw new Malformed("not a ClientHello");
    const wanted = head.readUIntBE(1, 3);
    if (wanted > limits.helloBytes) throw new Malformed("longer than 32 KiB");
    if (have >= 4 + wanted) return contentOf(bytes.subarray(0, end)).subarray(4, 4 + wanted);
  }
  return undefined;
}

/** What is in records, without their heads. */
function contentOf(records: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < records.length;) {
    const end = at + 5 + records.readUInt16BE(at + 3);
    parts.push(records.subarray(at + 5, end));
    at = end;
  }
  return Buffer.concat(parts);
}

function namesOf(hello: Reader): Omit<FirstBytes & { kind: "hello" }, "kind"> {
  hello.skip(2 + 32);
  hello.skip(hello.number(1));
  hello.skip(hello.number(2));
  hello.skip(hello.number(1));
  let serverName: string | undefined;
  let encrypted = false;
  let protocols: readonly string[] | undefined;
  if (hello.atEnd()) return { serverName, encrypted, protocols };
  const extensions = hello.part(hello.number(2));
  if (!hello.atEnd()) throw new Malformed("bytes behind the extensions");
  const seen = new Set<number>();
  while (!extensions.atEnd()) {
    const type = extensions.number(2);
    const body = extensions.part(extensions.number(2));
    if (seen.has(type)) throw new Malformed(`extension ${type} twice`);
    seen.add(type);
    if (type === serverNameExtension) serverName = serverNameOf(body);
    if (type === protocolsExtension) protocols = protocolsOf(body);
    if (encryptedExtensions.includes(type)) encrypted = true;
  }
  return { serverName, encrypted, protocols };
}

function protocolsOf(body: Reader): string[] {
  const list = body.part(body.number(2));
  if (!body.atEnd()) throw new Malformed("bytes behind the protocols");
  const names: string[] = [];
  while (!list.atEnd()) names.push(list.part(list.number(1)).rest().toString("latin1"));
  return names;
}

function serverNameOf(body: Reader): string {
  const list = body.part(body.number(2));
  if (!body.atEnd()) throw new Malformed("bytes behind the server name");
  const type = list.number(1);
  const name = list.part(list.number(2)).rest();
  if (type !== 0 || !list.atEnd()) throw new Malformed("not exactly one server name");
  const text = name.toString("latin1");
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Malformed("a server name that is not ASCII");
  return text;
}

/** Reads forward; running out of bytes is malformed. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(length: number): number {
    return this.#take(length).readUIntBE(0, length);
  }

  part(length: number): Reader {
    return new Reader(this.#take(length));
  }

  skip(length: number): void {
    this.#take(length);
  }

  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Malformed("shorter than it says");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

function malformed(reason: string): FirstBytes {
  return { kind: "malformed", reason: `malformed ClientHello: ${reason}` };
}
