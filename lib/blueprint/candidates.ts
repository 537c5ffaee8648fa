/**
 * Values near a wrong one that a person may have meant, the smallest change first. The caller takes the first that its
 * schema accepts, so that a fix which is offered is always right.
 */
export function candidates(input: unknown): readonly unknown[] {
  if (typeof input === "number") return [String(input), `${input}s`, [input]];
  if (Array.isArray(input)) {
    const kept = input.filter((item) => item !== null && item !== "");
    return kept.length === 1 ? [kept[0]] : [kept];
  }
  if (typeof input !== "string") return [];
  const text = input.trim();
  const all: unknown[] = [text];
  if (/^-?\d+(\.\d+)?$/.test(text)) all.push(Number(text), `${text}s`);
  // `yes`, `no`, `on` and `off` are text in YAML 1.2.
  if (/^(true|yes|on)$/i.test(text)) all.push(true);
  if (/^(false|no|off)$/i.test(text)) all.push(false);
  const cores = /^(\d+)m$/.exec(text)?.[1];
  if (cores !== undefined) all.push(Number(cores) / 1000);
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([kmgt])i?b?(?:ytes)?$/i.exec(text) ?? [];
  if (amount !== undefined && unit !== undefined) all.push(`${amount}${unit.toUpperCase()}i`);
  const [, time, long] = /^(\d+(?:\.\d+)?)\s*(ms|milli|s|m|h)[a-z]*$/i.exec(text) ?? [];
  if (time !== undefined && long !== undefined)
    all.push(`${time}${long.toLowerCase().replace("milli", "ms")}`);
  const [, major, minor = "0", patch = "0"] = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?$/.exec(text) ?? [];
  if (major !== undefined) all.push(`${major}.${minor}.${patch}`);
  if (/^https?:\/\//.test(text) && URL.canParse(text)) all.push(new URL(text).host);
  all.push(text.toLowerCase(), slug(text), normalised(text), normalised(`/sandbox/${text}`), [text]);
  return all;
}

const slug = (text: string): string =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .replace(/^(?=\d)/, "agent-")
    .slice(0, 40)
    .replace(/-$/, "");

/** An absolute path in its shortest form. */
function normalised(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `${path.startsWith("/") ? "/" : ""}${parts.join("/")}`;
}
