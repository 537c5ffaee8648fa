import { type Cidr, contains, type IpAddress } from "./address.ts";
import type { CredentialBinding, Inspection, RuleId } from "./decision.ts";
import type { Glob } from "./glob.ts";
import type { Methods } from "./http-method.ts";
import { PathTrie } from "./path-trie.ts";
import type { Parameter } from "./query-match.ts";

/** One endpoint of one rule at one port. */
export interface Entry {
  readonly rule: RuleId;
  readonly inspect: Inspection;
  /** `undefined`: any program. */
  readonly programs: readonly Glob[] | undefined;
  /** As written, for the reason of a denial. */
  readonly programsText: string;
  /** Its requests are decided by rules; else all of them are allowed. */
  readonly rest: boolean;
  /** Forwards what it would refuse, and reports it. */
  readonly audit: boolean;
  readonly within: readonly Cidr[] | undefined;
  /** It has no host: it is for connections to addresses in `within`. */
  readonly unnamed: boolean;
  readonly credential: CredentialBinding | undefined;
  readonly encodedSlash: boolean;
  /** The paths that it is for; `undefined`: all. */
  readonly selects: Glob | undefined;
  /** The same of a path in lower case, for its deny rules. */
  readonly selectsLower: Glob | undefined;
  /** Of several that allow: the lowest counts. What carries a credential comes first, then what has addresses. */
  readonly rank: number;
}

/** One rule on requests. */
export interface RequestRule {
  readonly entry: Entry;
  readonly methods: Methods;
  readonly parameters: readonly Parameter[];
}

/** Who asks for what address, where it is one: what an entry's use depends on beside its place. */
export interface Asking {
  readonly binary: string | undefined;
  readonly address: IpAddress | undefined;
}

/** Whether an entry of a place is for this caller. */
export function applies(entry: Entry, asking: Asking): boolean {
  if (!reaches(entry, asking)) return false;
  if (entry.programs === undefined) return true;
  if (asking.binary === undefined) return false;
  for (const matches of entry.programs) if (matches(asking.binary)) return true;
  return false;
}

/** The same for what denies: a program that could not be told is every one. */
export const mayApply = (entry: Entry, asking: Asking): boolean =>
  asking.binary === undefined ? reaches(entry, asking) : applies(entry, asking);

/** Whether the address is the entry's, where it has no name. */
export function reaches({ unnamed, within }: Entry, { address }: Asking): boolean {
  if (!unnamed || within === undefined) return true;
  if (address === undefined) return false;
  for (const range of within) if (contains(range, address)) return true;
  return false;
}

/** What holds at one host pattern and one port. */
export class Place {
  /** Those that ask most of the wire first. */
  readonly entries: Entry[] = [];
  /** Those without rules on requests: they allow every one. */
  readonly plain: Entry[] = [];
  readonly audited: Entry[] = [];
  readonly bound: Entry[] = [];
  readonly denying = new Set<Entry>();
  readonly allows = new PathTrie<RequestRule>();
  /** By patterns in lower case. */
  readonly denies = new PathTrie<RequestRule>();
  /** The same, for a request whose path is not known. */
  readonly everyDeny: RequestRule[] = [];
  /** Where all entries have addresses: all of these. */
  within: readonly Cidr[] | undefined;

  add(entry: Entry): void {
    this.entries.push(entry);
    if (!entry.rest) this.plain.push(entry);
    if (entry.audit && entry.rest) this.audited.push(entry);
    if (entry.credential !== undefined) this.bound.push(entry);
  }

  deny(pattern: string, rule: RequestRule): void {
    this.denying.add(rule.entry);
    this.denies.add(pattern.toLowerCase(), rule);
    this.everyDeny.push(rule);
  }

  /** Once all are there. */
  close(): void {
    this.entries.sort((a, b) => strictness[a.inspect] - strictness[b.inspect] || a.rank - b.rank);
    if (this.entries.every(({ within }) => within !== undefined))
      this.within = this.entries.flatMap(({ within }) => within ?? []);
  }
}

const strictness: Readonly<Record<Inspection, number>> = { http: 0, tls: 1, sniff: 2, opaque: 3 };
