import type { Cidr } from "./address.ts";

/** Names a rule: its key in `network_policies`, or `allow:ID` for one that `nacre allow` made. */
export type RuleId = string;

/** Who asks: the program that owns the socket, as the sandbox's init told. Attribution, not a boundary. */
export interface Caller {
  /** The executable's path inside the sandbox; absent when it was not asked for or could not be told. */
  readonly binary?: string | undefined;
  /** SHA-256 of the executable, hex. */
  readonly sha256?: string | undefined;
}

/** Where to: a name in its normal form (`hostName`), or an address in its only spelling. */
export interface Destination {
  readonly host: string;
  readonly port: number;
}

/** What an HTTP request asks for, as far as it is known: a rule that needs what is absent does not allow. */
export interface HttpRequest {
  /** In upper case. */
  readonly method?: string | undefined;
  /** As `canonicalPath` gives it: what is matched is what is forwarded. */
  readonly path?: string | undefined;
  /** Decoded; `unreadable` where two readers could take it for different things: then no rule on it allows, every one denies. */
  readonly query?: Query | undefined;
}

/** Parameters by name, each with all of its values in order. */
export type Query = ReadonlyMap<string, readonly string[]> | "unreadable";

/**
 * What must hold on the wire of an allowed connection.
 * `tls`: it starts with a ClientHello for that very name, without ECH. `sniff`: where it starts with a ClientHello,
 * the same; else any bytes. `opaque`: any bytes (`protocol: tcp`). `http`: TLS is terminated (the same must hold of its
 * ClientHello), or HTTP is spoken in the clear on a port other than 443, and each request is decided for itself.
 */
export type Inspection = "tls" | "sniff" | "opaque" | "http";

/** Which wall said no. */
export type Layer =
  | "block"
  | "network"
  | "binary"
  | "address"
  | "tls"
  | "http"
  | "credential"
  | "inference"
  | "limit"
  | "publish";

/** Where a credential goes on the wire. `{}` in a path stands for it. */
export type CredentialPosition =
  | { readonly header: string; readonly prefix?: string | undefined }
  | { readonly basic: string }
  | { readonly query: string }
  | { readonly path: string };

/** The credential that an endpoint's requests carry, by its name, and where (unless the credential's own default). */
export interface CredentialBinding {
  readonly provider: string;
  readonly in?: CredentialPosition | undefined;
}

/** The smallest change that would alter a denial: a sentence, and what a command needs to carry it out. */
export interface Fix {
  readonly text: string;
  readonly allow?: {
    readonly host: string;
    readonly port: number;
    readonly binary?: string | undefined;
    /** Of a request that was refused: both or neither. */
    readonly method?: string | undefined;
    readonly path?: string | undefined;
    /** Of one that was refused for its query: that query, in its one writing. Absent: any query. */
    readonly query?: string | undefined;
  };
  readonly grant?: { readonly host: string; readonly cidr: string; readonly port: number };
  /** A host, or `all`. */
  readonly unblock?: string;
}

/** What an allowed connection or request is held to. */
export interface Terms {
  readonly rule: RuleId;
  readonly inspect: Inspection;
  /** All addresses of the name must lie in one of these blocks, beside what the guard asks; absent: anywhere. */
  readonly within?: readonly Cidr[] | undefined;
  /** Of a request: the credential that it carries. */
  readonly credential?: CredentialBinding | undefined;
  /** Some endpoint of this host and port carries a credential: none that the client brings goes there. */
  readonly bound?: boolean | undefined;
}

export interface Allowed extends Terms {
  readonly verdict: "allow";
}

/** Goes through as if allowed, and is reported as if refused (`enforcement: audit`). */
export interface Audited extends Terms {
  readonly verdict: "audit";
  readonly layer: Layer;
  readonly reason: string;
  readonly fix: Fix;
}

export interface Denied {
  readonly verdict: "deny";
  readonly rule?: RuleId | undefined;
  readonly layer: Layer;
  readonly reason: string;
  readonly fix: Fix;
}

/** What goes through. */
export type Carried = Allowed | Audited;

export type Decision = Carried | Denied;
