import { type Cidr, contains, type IpAddress } from "./address.ts";
import type { CredentialBinding, Inspection, RuleId } from "./decision.ts";
import { type Glob, hasStar } from "./glob.ts";
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
  /** Only with exactly these parameters, and no others. */
  readonly exactly?: ReadonlyMap<string, readonly string[]> | undefined;
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

/** The endpoints at one host pattern and one port, of rules for every program or for one. */
export class Place {
  readonly site: Site;
  /** Those that ask most of the wire first. */
  readonly entries: Entry[] = [];
  /** Those without rules on requests: they allow every one. */
  readonly plain: Entry[] = [];
  readonly audited: Entry[] = [];
  readonly bound: Entry[] = [];
  readonly denying: Entry[] = [];
  allows: PathTrie<RequestRule> | undefined;
  /** By patterns in lower case. */
  denies: PathTrie<RequestRule> | undefined;
  /** The same, for a request whose path is not known. */
  readonly everyDeny: RequestRule[] = [];
  /** Where all entries have addresses: all of these. */
  within: readonly Cidr[] | undefined;

  constructor(site: Site) {
    this.site = site;
  }

  add(entry: Entry): void {
    this.entries.push(entry);
    if (!entry.rest) this.plain.push(entry);
    if (entry.audit && entry.rest) this.audited.push(entry);
    if (entry.credential !== undefined) this.bound.push(entry);
  }

  /** `literal`: a star in the path is a star. */
  allow(pattern: string, rule: RequestRule, literal = false): void {
    (this.allows ??= new PathTrie()).add(pattern, rule, literal);
  }

  deny(pattern: string, rule: RequestRule): void {
    if (this.denying.at(-1) !== rule.entry) this.denying.push(rule.entry);
    (this.denies ??= new PathTrie()).add(pattern.toLowerCase(), rule);
    this.everyDeny.push(rule);
  }

  /** Once all are there. */
  close(): void {
    this.entries.sort((a, b) => (comesBefore(a, b) ? -1 : 1));
    if (this.entries.every(({ within }) => within !== undefined))
      this.within = this.entries.flatMap(({ within }) => within ?? []);
  }
}

/** What holds at one host pattern and one port. Rules for single programs are kept apart, so that others cost nothing. */
export class Site {
  /** Of rules without `binaries`, or with globs. */
  readonly any = new Place(this);
  #single: Map<string, Place> | undefined;

  /** Where an endpoint of a rule for these programs goes. */
  placesOf(programs: readonly string[] | undefined): readonly Place[] {
    if (programs === undefined || programs.some(hasStar)) return [this.any];
    return [...new Set(programs)].map((program) => this.#of(program));
  }

  /** Adds those that could be for a program; for one that is not known, all. */
  collect(binary: string | undefined, into: Place[]): void {
    if (this.any.entries.length > 0) into.push(this.any);
    if (this.#single === undefined) return;
    if (binary === undefined) {
      into.push(...this.#single.values());
      return;
    }
    const place = this.#single.get(binary);
    if (place !== undefined) into.push(place);
  }

  /** Every endpoint, for the reason of a denial. */
  *entries(): Iterable<Entry> {
    yield* this.any.entries;
    for (const place of this.#single?.values() ?? []) yield* place.entries;
  }

  get dependsOnProgram(): boolean {
    return this.#single !== undefined || this.any.entries.some(({ programs }) => programs !== undefined);
  }

  close(): void {
    this.any.close();
    for (const place of this.#single?.values() ?? []) place.close();
  }

  #of(program: string): Place {
    this.#single ??= new Map();
    const place = this.#single.get(program) ?? new Place(this);
    this.#single.set(program, place);
    return place;
  }
}

const strictness: Readonly<Record<Inspection, number>> = { opaque: 0, sniff: 1, tls: 2, http: 3 };

/** Whether the one asks more of the wire than the other. */
export const isStricter = (inspection: Inspection, than: Inspection): boolean =>
  strictness[inspection] > strictness[than];

/** Whether an endpoint asks more of the wire than another at the same place, or as much and comes first. */
export const comesBefore = (a: Entry, b: Entry): boolean =>
  a.inspect === b.inspect ? a.rank < b.rank : isStricter(a.inspect, b.inspect);
