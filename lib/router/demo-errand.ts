/** What a person asks of the demo model: the content of a file, or what a command prints. */
export interface Errand {
  readonly kind: "read" | "run";
  /** A path, or a command line. */
  readonly what: string;
}

/** Longer messages are cut: an agent writes them, and the patterns below go over them several times. */
const maximumLength = 16_384;

const name = String.raw`(?:["'“‘\`](?<quoted>[^"'”’\`\n]{1,255})["'”’\`]|(?<bare>[\w~.\-\/]{1,255}))`;
const verb = String.raw`\b(?:read|open|show|print|cat)\s(?:me\s)?(?:the\s)?`;
const question = String.raw`\bwhat(?:\sdoes|\sis(?:\swritten)?\sin|['’]s\sin)\s(?:the\s)?`;

interface Pattern {
  readonly kind: Errand["kind"];
  readonly pattern: RegExp;
  /** After the word “file” anything is a name; elsewhere only what has a dot or a slash in it. */
  readonly named?: true;
}

const patterns: readonly Pattern[] = [
  { kind: "run", named: true, pattern: /\brun:[ \t]*(?<command>\S[^\n]*)/gi },
  { kind: "read", named: true, pattern: new RegExp(`(?:${verb}|${question})file\\s${name}`, "gi") },
  { kind: "read", pattern: new RegExp(`(?:${verb}(?:contents?\\sof\\s)?|${question})${name}`, "gi") },
];

/**
 * The errands of one message, in the order in which they are written. Blocks that OpenClaw marks as its own context
 * are no one's request: they quote what tools printed.
 */
export function errandsOf(message: string): readonly Errand[] {
  const text = message.slice(0, maximumLength).replace(/<<<BEGIN_[A-Z_]+>>>.*?<<<END_[A-Z_]+>>>/gs, "");
  const found = patterns.flatMap(({ kind, named, pattern }) =>
    [...text.matchAll(pattern)].flatMap((match) => {
      const { command, quoted, bare } = match.groups ?? {};
      const what = (command ?? quoted ?? bare?.replace(/\.+$/, "") ?? "").trim();
      const counts = what !== "" && (named === true || quoted !== undefined || /[./]/.test(what));
      return counts ? [{ at: match.index, end: match.index + match[0].length, kind, what }] : [];
    }),
  );
  const ordered = found.sort((left, right) => left.at - right.at || right.end - left.end);
  const distinct = ordered.filter(({ at }, index) => !ordered.slice(0, index).some(({ end }) => at < end));
  return distinct.map(({ kind, what }) => ({ kind, what }));
}
