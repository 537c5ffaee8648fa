/**
 * Where what the API server holds differs from what was sent: paths of fields. What the server adds to an object is its
 * defaults; what is added to a list is somebody's. An empty list or object is the same as none.
 */
export function differences(live: unknown, sent: unknown, path = ""): string[] {
  // An empty selector is all there is: what narrows it is no default.
  if (isEmpty(sent)) return isEmpty(live) ? [] : [path];
  if (Array.isArray(sent)) {
    if (!Array.isArray(live) || live.length !== sent.length) return [path];
    return sent.flatMap((item, index) => differences(live[index], item, `${path}[${index}]`));
  }
  if (typeof sent === "object" && sent !== null) {
    if (typeof live !== "object" || live === null) return [path];
    return Object.entries(sent).flatMap(([key, field]) => {
      const held = heldAs(live as Readonly<Record<string, unknown>>, key);
      if (field === false && held === undefined && !absentIsTrue.has(key)) return [];
      return differences(held, field, path === "" ? key : `${path}.${key}`);
    });
  }
  return live === sent || sameAmount(live, sent) ? [] : [path];
}

/** The client library's types avoid words of the language: `from` is `_from` there. */
const heldAs = (live: Readonly<Record<string, unknown>>, key: string): unknown =>
  live[key] ?? live[`_${key}`];

/** Where `false` is not what the server takes when nothing is said, and so does not leave out. */
const absentIsTrue: ReadonlySet<string> = new Set([
  "automountServiceAccountToken",
  "allowPrivilegeEscalation",
  "enableServiceLinks",
  "hostUsers",
]);

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/** The server writes quantities in its own way: `1000m` is `1`. */
function sameAmount(live: unknown, sent: unknown): boolean {
  if (typeof live !== "string" || typeof sent !== "string") return false;
  const [one, other] = [amountOf(live), amountOf(sent)];
  return one !== undefined && one === other;
}

const units: Readonly<Record<string, number>> = {
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

function amountOf(text: string): number | undefined {
  const [, digits, unit = ""] = /^(\d+(?:\.\d+)?)(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/.exec(text) ?? [];
  const factor = units[unit];
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}
