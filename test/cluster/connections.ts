/** What passes between two ends: `TCP 443`, `UDP all`, or `any`, each once. Empty: nothing. */
export type Connections = readonly string[];

export const nothing: Connections = [];
export const anything: Connections = ["any"];
export const tcp = (...ports: readonly number[]): Connections => ports.map((port) => `TCP ${port}`);
export const udp = (...ports: readonly number[]): Connections => ports.map((port) => `UDP ${port}`);
export const allTcp: Connections = ["TCP all"];

/** What of `some` is not in `others`. */
export const beyond = (some: Connections, others: Connections): Connections =>
  some.filter((one) => !["any", `${one.split(" ")[0]} all`, one].some((wide) => others.includes(wide)));

export function written(connections: Connections): string {
  if (connections.length === 0) return "–";
  const byProtocol = Map.groupBy(connections, (one) => one.split(" ")[0]);
  return [...byProtocol]
    .map(([protocol = "", all]) =>
      [protocol, ...all.flatMap((one) => one.split(" ").slice(1)).filter((port) => port !== "all")].join(" "),
    )
    .join(", ");
}
