import type { IncomingMessage } from "node:http";
import type { Carried, CredentialPosition, Denied, RuleId } from "../policy/decision.ts";
import { placeholderOf } from "../policy/placeholder.ts";
import { Concealment } from "./concealment.ts";
import { carriesCredential, headerOf, type InHeader, ownCredential, slotIn } from "./own-credential.ts";
import type { Dressed } from "./forward.ts";
import type { ReadRequest } from "./http-request.ts";
import { Placeholder, mentionsPlaceholder } from "./placeholder.ts";
import type { WireCredential } from "./protocol.ts";

/** Where a request goes. */
export interface Place {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

/** The credential is bound, and has no value now. */
export interface Lacking {
  readonly lacking: string;
  readonly secret: string;
}

const bearer: CredentialPosition = { header: "authorization", prefix: "Bearer " };

/**
 * Puts a credential on at the wire: in place of the placeholder that the agent sent, or where there is nothing yet. What
 * the agent brings of its own never goes to a bound endpoint: its own token on an allowed host is a way out for data.
 */
export class Credentials {
  readonly #known: Readonly<Record<string, WireCredential>>;
  #secrets: Readonly<Record<string, string>>;
  readonly #concealments = new Map<string, Concealment>();

  constructor(known: Readonly<Record<string, WireCredential>>, secrets: Readonly<Record<string, string>>) {
    this.#known = known;
    this.#secrets = secrets;
  }

  /** The values from now on; requests under way keep theirs. */
  setSecrets(secrets: Readonly<Record<string, string>>): void {
    this.#secrets = secrets;
    this.#concealments.clear();
  }

  dress(
    message: IncomingMessage,
    read: ReadRequest,
    decision: Carried,
    place: Place,
  ): Dressed | Denied | Lacking {
    const plain: Dressed = { target: targetOf(read.path, read.search), headers: [] };
    const { rule, credential, bound } = decision;
    if (bound !== true && credential === undefined) {
      return mentionsPlaceholder(message, read) ? mismatch(rule, place) : plain;
    }
    if (read.method === "TRACE") {
      return deny(rule, "TRACE sends back what it was sent, credential included", "use another method");
    }
    if (credential === undefined) {
      // Before it is taken for one of the agent's own: the refusal would say to send the placeholder.
      if (mentionsPlaceholder(message, read)) return mismatch(rule, place);
      const own = carriesCredential(message, read);
      return own === undefined ? { ...plain, bound: true } : refuseOwn(rule, own, place);
    }
    if (!place.secure) return deny(rule, "a credential goes over verified TLS only", "use https");
    const { provider } = credential;
    const known = Object.hasOwn(this.#known, provider) ? this.#known[provider] : undefined;
    const position = credential.in ?? known?.in ?? bearer;
    const secret = Object.hasOwn(this.#secrets, provider) ? this.#secrets[provider] : undefined;
    const placeholder = new Placeholder(known?.as);
    const own = ownCredential(message, read, position, placeholder);
    if (own !== undefined) return refuseOwn(rule, own, place);
    if (secret === undefined)
      return { lacking: `the credential ${provider} has no value for this sandbox now`, secret: provider };
    const conceal = this.#concealment(provider, secret, known?.as);
    return { ...put(message, read, position, placeholder, secret), bound: true, conceal };
  }

  #concealment(provider: string, secret: string, variable: string | undefined): Concealment {
    let kept = this.#concealments.get(provider);
    if (kept === undefined) {
      kept = new Concealment(secret, variable === undefined ? "" : placeholderOf(variable));
      this.#concealments.set(provider, kept);
    }
    return kept;
  }
}

/** `ownCredential` has seen that there is at the position either nothing or a placeholder, and nothing anywhere else. */
function put(
  message: IncomingMessage,
  read: ReadRequest,
  position: CredentialPosition,
  placeholder: Placeholder,
  secret: string,
): Dressed {
  const target = targetOf(read.path, read.search);
  if ("path" in position) {
    const slot = slotIn(read.path, position.path);
    if (slot === undefined) return { target, headers: [] };
    const path = `${read.path.slice(0, slot.start)}${inPath(secret)}${read.path.slice(slot.end)}`;
    return { target: targetOf(path, read.search), headers: [] };
  }
  if ("query" in position) {
    const written = `${encodeURIComponent(position.query)}=${encodeURIComponent(secret)}`;
    const others = (read.search ?? "")
      .split("&")
      .filter((part) => part !== "" && nameOf(part) !== position.query);
    return { target: targetOf(read.path, [...others, written].join("&")), headers: [] };
  }
  const name = headerOf(position);
  const sent = message.headers[name];
  const value = typeof sent === "string" ? placeholder.replaced(sent, secret) : fresh(position, secret);
  return { target, headers: [name, value] };
}

function fresh(position: InHeader, secret: string): string {
  if ("basic" in position) return `Basic ${Buffer.from(`${position.basic}:${secret}`).toString("base64")}`;
  return `${position.prefix ?? ""}${secret}`;
}

/** A parameter's name, decoded as `readQuery` does; what cannot be decoded was refused before. */
function nameOf(part: string): string {
  const [name = ""] = part.split("=", 1);
  try {
    return decodeURIComponent(name.replaceAll("+", " "));
  } catch {
    return name;
  }
}

/** RFC 3986, 3.3: what a segment may hold as it is stays, since some servers do not decode it. */
function inPath(secret: string): string {
  return encodeURIComponent(secret).replace(/%(3A|40|24|26|2B|2C|3D)/g, (escape) =>
    decodeURIComponent(escape),
  );
}

const targetOf = (path: string, search: string | undefined): string =>
  search === undefined ? path : `${path}?${search}`;

function mismatch(rule: RuleId, { host }: Place): Denied {
  return deny(
    rule,
    `a credential's placeholder was sent to ${host} with a request that it is not for`,
    "send it with what the rules of that credential name, and nowhere else",
  );
}

function refuseOwn(rule: RuleId, what: string, { host }: Place): Denied {
  return deny(
    rule,
    `${what} is the agent's own credential, and ${host} gets the one that is bound to it`,
    "send none, or the placeholder from the environment",
  );
}

function deny(rule: RuleId, reason: string, text: string): Denied {
  return { verdict: "deny", rule, layer: "credential", reason, fix: { text } };
}
