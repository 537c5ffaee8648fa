import type { IncomingMessage } from "node:http";
import { placeholderForms as forms } from "../policy/placeholder.ts";
import type { ReadRequest } from "./http-request.ts";

/** Whether any part of a request's head holds a placeholder, of whichever credential. */
export function mentionsPlaceholder({ rawHeaders }: IncomingMessage, { path, search }: ReadRequest): boolean {
  return holds(path) || (search !== undefined && holds(decoded(search))) || rawHeaders.some(holdsInHeader);
}

function holds(text: string): boolean {
  return forms.some((form) => text.includes(form));
}

function holdsInHeader(value: string): boolean {
  return (
    holds(value) ||
    (/^basic /i.test(value) && holds(Buffer.from(value.slice(6), "base64").toString("latin1")))
  );
}

function decoded(search: string): string {
  try {
    return decodeURIComponent(search);
  } catch {
    return search;
  }
}

/** What clients send where the name is the credential. */
const noPassword: ReadonlySet<string> = new Set(["", "x", "x-oauth-basic"]);

/** A short name or an e-mail address (Jira, Zendesk); keys that vendors take as the name are longer. */
const userName = /^[A-Za-z0-9._+-]{0,16}$|^[^@\s]{1,64}@[^@\s]{1,255}$/;

/** The placeholder of one credential. Without a variable there is none, and nothing equals it. */
export class Placeholder {
  readonly #variable: string | undefined;

  constructor(variable: string | undefined) {
    this.#variable = variable;
  }

  /** `text` is the placeholder, whole. */
  is(text: string): boolean {
    if (this.#variable === undefined) return false;
    return text === `${forms[0]}${this.#variable}` || this.#isAlias(text);
  }

  /**
   * `Bearer PLACEHOLDER`, the placeholder alone, or `Basic` with it as the name or the password, and beside it nothing that
   * could be a key itself: many servers look at one of the two alone.
   * @param user the name that goes with it in `Basic`, where one is known
   */
  isHeader(value: string, user?: string): boolean {
    const basic = basicOf(value);
    if (basic !== undefined) {
      const [name = "", password = ""] = basic;
      if (this.is(name)) return noPassword.has(password.toLowerCase());
      return this.is(password) && (name === user || userName.test(name));
    }
    return this.is(value.replace(/^[A-Za-z][A-Za-z-]* +/, ""));
  }

  /** A header's value for which `isHeader` holds, with the secret in place. */
  replaced(value: string, secret: string): string {
    const basic = basicOf(value);
    if (basic !== undefined) {
      const parts = basic.map((part) => (this.is(part) ? secret : part));
      return `Basic ${Buffer.from(parts.join(":")).toString("base64")}`;
    }
    const [scheme = ""] = /^([A-Za-z][A-Za-z-]* +)?/.exec(value) ?? [];
    return `${scheme}${secret}`;
  }

  /** `telegram-OPENSHELL-RESOLVE-ENV-TELEGRAM_BOT_TOKEN`. */
  #isAlias(text: string): boolean {
    const [provider = "", variable, ...more] = text.split(`-${forms[1]}`);
    return more.length === 0 && variable === this.#variable && /^[A-Za-z0-9_.-]*$/.test(provider);
  }
}

/** The name and the password of `Basic` (RFC 7617). */
function basicOf(value: string): string[] | undefined {
  if (!/^basic +/i.test(value)) return undefined;
  const text = Buffer.from(value.replace(/^basic +/i, ""), "base64").toString("utf8");
  // The placeholder itself has colons, on whichever side it is.
  const at = forms.some((form) => text.startsWith(form))
    ? text.indexOf(":", forms[0].length)
    : text.indexOf(":");
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
