import * as packet from "dns-packet";
import type { Denied } from "../policy/decision.ts";
import { hostName } from "../policy/host-name.ts";
import type { AddressPool } from "./pool.ts";

/** What the policy says of a name. `undefined`: it resolves. */
export type NamePolicy = (name: string) => Denied | undefined;

/** What was answered, for the audit; `undefined` for what is not worth a record. */
export interface DnsOutcome {
  readonly answer: Buffer;
  readonly name?: string;
  readonly denied?: Denied;
}

const noError = 0;
const formatError = 1;
const serverFailure = 2;
const noSuchName = 3;
const notImplemented = 4;

/** RFC 8914: EDE is option 15; 15 is "Blocked", 0 is "Other Error". */
const extendedError = 15;
const blocked = 15;
const other = 0;

/** Seconds. The decision is made when a connection comes, so an answer may live on. */
const timeToLive = 60;

/**
 * Answers for the names that the policy allows, by the address that stands for them; nothing is ever looked up here.
 * AAAA, HTTPS and whatever else there is of an allowed name: no data (so no ECH keys come in, and one family is
 * enough). All other names do not exist; where the asker understands EDNS, the answer carries the reason.
 */
export class PolicyDns {
  readonly #pool: AddressPool;
  readonly #policy: NamePolicy;

  constructor(pool: AddressPool, policy: NamePolicy) {
    this.#pool = pool;
    this.#policy = policy;
  }

  /** `undefined` for what gets no answer: no whole header, or itself an answer. */
  answer(message: Buffer): DnsOutcome | undefined {
    if (message.length < 12 || (message.readUInt16BE(2) & 0x8000) !== 0) return undefined;
    if (((message.readUInt16BE(2) >> 11) & 0xf) !== 0) return { answer: bare(message, notImplemented) };
    let query: packet.DecodedPacket;
    try {
      query = packet.decode(message);
    } catch {
      return { answer: bare(message, formatError) };
    }
    const question = query.questions?.length === 1 ? query.questions[0] : undefined;
    if (question === undefined) return { answer: bare(message, formatError) };
    const asked = { query, question };
    const name = hostName(question.name);
    if (name === undefined) return { answer: encode(asked, noSuchName) };
    if (name === "localhost" || name.endsWith(".localhost")) return { answer: loopback(asked) };
    if (name.endsWith(".in-addr.arpa") || name.endsWith(".ip6.arpa"))
      return { answer: encode(asked, noSuchName) };
    const denied = this.#policy(name);
    if (denied !== undefined) {
      return { answer: encode(asked, noSuchName, [], { code: blocked, text: denied.reason }), name, denied };
    }
    if (question.type !== "A") return { answer: encode(asked, noError) };
    const address = this.#pool.addressFor(name);
    if (address === undefined) {
      const text = "no address can be given to one more name now: try again later";
      return { answer: encode(asked, serverFailure, [], { code: other, text }), name };
    }
    return { answer: encode(asked, noError, [record(question.name, "A", address.text)]), name };
  }
}

interface Asked {
  readonly query: packet.DecodedPacket;
  readonly question: packet.Question;
}

/** RFC 6761, 6.3: never asked of anybody. */
function loopback(asked: Asked): Buffer {
  const { name, type } = asked.question;
  if (type === "A") return encode(asked, noError, [record(name, "A", "127.0.0.1")]);
  if (type === "AAAA") return encode(asked, noError, [record(name, "AAAA", "::1")]);
  return encode(asked, noError);
}

function record(name: string, type: "A" | "AAAA", data: string): packet.Answer {
  return { name, type, ttl: timeToLive, data };
}

function encode(
  asked: Asked,
  code: number,
  answers: packet.Answer[] = [],
  reason?: { readonly code: number; readonly text: string },
): Buffer {
  const { query, question } = asked;
  const answer: packet.Packet = {
    type: "response",
    id: query.id ?? 0,
    // The last four bits are the answer's code (RFC 1035, 4.1.1).
    flags: packet.AUTHORITATIVE_ANSWER | packet.RECURSION_AVAILABLE | ((query.flags ?? 0) & 0x0100) | code,
    questions: [question],
    answers,
    authorities: answers.length > 0 ? [] : [startOfAuthority(question.name)],
    additionals: query.additionals?.some((one) => one.type === "OPT") ? [edns(reason)] : [],
  };
  return packet.encode(answer);
}

/** RFC 2308: without it, some resolvers ask the same again at once. */
function startOfAuthority(name: string): packet.Answer {
  const data = {
    mname: "nacre.invalid",
    rname: "nacre.invalid",
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
    minimum: 5,
  };
  return { name, type: "SOA", ttl: 5, data };
}

function edns(reason: { readonly code: number; readonly text: string } | undefined): packet.Answer {
  const options = reason === undefined ? [] : [{ code: extendedError, data: extended(reason) }];
  return {
    type: "OPT",
    name: ".",
    udpPayloadSize: 1232,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: options as unknown as packet.PacketOpt[],
  } as unknown as packet.Answer;
}

function extended(reason: { readonly code: number; readonly text: string }): Buffer {
  const text = Buffer.from(reason.text.slice(0, 200), "utf8");
  const data = Buffer.alloc(2 + text.length);
  data.writeUInt16BE(reason.code, 0);
  text.copy(data, 2);
  return data;
}

/** The header alone, for what could not be read. */
function bare(message: Buffer, code: number): Buffer {
  const header = Buffer.alloc(12);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8000 | (message.readUInt16BE(2) & 0x7900) | code, 2);
  return header;
}
