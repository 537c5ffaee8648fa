import {
  isAlias,
  isNode,
  isScalar,
  Lexer,
  LineCounter,
  parseAllDocuments,
  visit,
  type Document,
  type YAMLError,
} from "yaml";
import { renderPath, type Finding, type Problem } from "./problem.ts";
import { offsetOf, pathAt } from "./yaml-position.ts";

/** A file larger than this is not a description that a person reviews. */
const LARGEST = 1024 * 1024;
/** A blueprint needs about ten. */
const DEEPEST = 64;

/** A YAML file that was read strictly: plain data, and where each part of it stands. */
export interface YamlDocument {
  readonly value: unknown;
  /** Gives a finding its line and column. */
  locate(finding: Finding): Problem;
}

export type YamlReading =
  | { readonly document: YamlDocument; readonly problems: readonly [] }
  | { readonly document?: undefined; readonly problems: readonly Problem[] };

/**
 * Reads one YAML 1.2 document (JSON is one too). Refused, because a reviewer would see something else than what runs:
 * duplicate keys, anchors, aliases, merge keys, tags, directives, keys that are not text, several documents.
 */
export function readYaml(text: string, file: string): YamlReading {
  const lines = new LineCounter();
  for (let start = 0; ; start++) {
    lines.addNewLine(start);
    start = text.indexOf("\n", start);
    if (start < 0) break;
  }
  const problem = (offset: number, path: string, reason: string, fix: string): Problem => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1), path, reason, fix };
  };
  if (Buffer.byteLength(text) > LARGEST) {
    return {
      problems: [{ file, line: 1, column: 1, path: "", reason: "larger than 1 MiB", fix: "split it up" }],
    };
  }
  const deep = tooDeep(text);
  if (deep !== undefined)
    return { problems: [problem(deep, "", `nested more than ${DEEPEST} deep`, "flatten it")] };
  const documents = parseAllDocuments(text, { prettyErrors: false, merge: false });
  const [document, second] = documents;
  if (document === undefined || (document.contents === null && document.errors.length === 0)) {
    return { problems: [problem(0, "", "the file is empty", "write the fields that it shall have")] };
  }
  if (document.errors.length > 0) {
    const problems = causes(document.errors).map((error) => {
      const { reason, fix } = syntaxProblem(error);
      const [from] = error.pos;
      const at = from + (/^ */.exec(text.slice(from, from + 256))?.[0].length ?? 0);
      return problem(at, pathAt(document, at), reason, fix);
    });
    return { problems };
  }
  if (second !== undefined) {
    const start = second.range[0];
    return {
      problems: [problem(start, "", "a second document in one file", "remove everything from `---` on")],
    };
  }
  const forbidden = forbiddenParts(document).map(({ at, reason, fix }) =>
    problem(at, pathAt(document, at), reason, fix),
  );
  if (forbidden.length > 0) return { problems: forbidden };
  const value: unknown = document.toJS();
  return {
    document: {
      value,
      locate: (finding) => ({
        ...problem(offsetOf(document, finding), renderPath(finding.path), finding.reason, finding.fix),
        nearest: finding.nearest,
      }),
    },
    problems: [],
  };
}

/** Where brackets, or dashes on one line, nest deeper than any description does; the parser's work grows with its square. */
function tooDeep(text: string): number | undefined {
  let [offset, brackets, dashes] = [0, 0, 0];
  for (const token of new Lexer().lex(text)) {
    if (token === "[" || token === "{") brackets++;
    else if (token === "]" || token === "}") brackets--;
    if (token === "-") dashes++;
    else if (token.trim() !== "" || token.includes("\n")) dashes = 0;
    if (brackets > DEEPEST || dashes > DEEPEST) return offset;
    // The lexer's marks (document, scalar, flow error) stand for no text.
    if (!/^[\u0002\u0018\u001f]$/.test(token)) offset += token.length;
  }
  return undefined;
}

interface Forbidden {
  readonly at: number;
  readonly reason: string;
  readonly fix: string;
}

function forbiddenParts(document: Document.Parsed): Forbidden[] {
  const found: Forbidden[] = [];
  const directives = document.directives;
  if (directives.yaml.explicit === true || Object.keys(directives.tags).some((handle) => handle !== "!!")) {
    found.push({ at: 0, reason: "a directive", fix: "remove the line that starts with %" });
  }
  visit(document, {
    Node: (_key, node) => {
      const at = node.range?.[0] ?? 0;
      if (isAlias(node)) {
        // Of a name with other characters, the star was meant: `host: *.example.com`.
        const isName = /^[\w-]+$/.test(node.source);
        const fix = isName ? "write the value out" : `put it in quotes: "*${node.source}"`;
        found.push({ at, reason: "an alias (*name)", fix });
        return;
      }
      if (node.anchor !== undefined)
        found.push({ at, reason: "an anchor (&name)", fix: "remove the anchor" });
      if (node.tag !== undefined) {
        found.push({ at, reason: "a tag", fix: "remove the tag" });
      }
    },
    Pair: (_key, pair) => {
      const key: unknown = pair.key;
      const at = (isNode(key) ? key.range?.[0] : undefined) ?? 0;
      if (isAlias(key)) return;
      if (!isScalar(key) || typeof key.value !== "string") {
        const written = isScalar(key) ? String(key.value) : undefined;
        const fix = written === undefined ? "use text as the key" : `write "${written}":`;
        found.push({ at, reason: "a key that is not text", fix });
      } else if (key.value === "<<") {
        found.push({ at, reason: "a merge key (<<)", fix: "write the fields out" });
      } else if (key.value === "__proto__") {
        found.push({ at, reason: "a key that no field can have", fix: "remove it" });
      }
    },
  });
  return found.sort((a, b) => a.at - b.at);
}

/** Duplicate keys stand each for itself; of the others, all after the first are mostly its consequence. */
function causes(errors: readonly YAMLError[]): YAMLError[] {
  const syntax = errors.filter((error) => error.code !== "DUPLICATE_KEY");
  return syntax.length > 0 ? syntax.slice(0, 1) : [...errors];
}

function syntaxProblem(error: YAMLError): { reason: string; fix: string } {
  // Behind a colon it quotes what stands there.
  const message = error.message.replace(/(?<=\w): .*$/s, "");
  switch (error.code) {
    case "DUPLICATE_KEY":
      return { reason: "this key stands here twice", fix: "remove one of the two" };
    case "TAB_AS_INDENT":
      return { reason: "a tab as indentation", fix: "indent with spaces" };
    case "BAD_INDENT":
      return { reason: message, fix: "indent it like its neighbours" };
    case "MISSING_CHAR":
      return { reason: message, fix: "add the missing character" };
    case "BAD_SCALAR_START":
      return { reason: message, fix: "put the value in quotes" };
    case "BAD_ALIAS":
      return { reason: "a star alone, which starts an alias", fix: 'put it in quotes: "*"' };
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return { reason: message, fix: "check the indentation, or put a value with `: ` in quotes" };
    default:
      return { reason: message, fix: "correct the YAML here" };
  }
}
