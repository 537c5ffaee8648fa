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

/**
 * What must hold on the wire of an allowed connection.
 * `tls`: it starts with a ClientHello for that very name, without ECH. `sniff`: where it starts with a ClientHello,
 * the same; else any bytes. `opaque`: any bytes (`protocol: tcp`).
 */
export type Inspection = "tls" | "sniff" | "opaque";

/** Which wall said no. */
export type Layer = "block" | "network" | "binary" | "address" | "tls" | "inference" | "limit" | "publish";

/** The smallest change that would alter a denial: a sentence, and what a command needs to carry it out. */
export interface Fix {
  readonly text: string;
  readonly allow?: { readonly host: string; readonly port: number; readonly binary?: string | undefined };
  readonly grant?: { readonly host: string; readonly cidr: string; readonly port: number };
  /** A host, or `all`. */
  readonly unblock?: string;
}

export interface Allowed {
  readonly verdict: "allow";
  readonly rule: RuleId;
  readonly inspect: Inspection;
}

export interface Denied {
  readonly verdict: "deny";
  readonly rule?: RuleId | undefined;
  readonly layer: Layer;
  readonly reason: string;
  readonly fix: Fix;
}

export type Decision = Allowed | Denied;
