import { isMap, isNode, isPair, isScalar, isSeq, type Document } from "yaml";
import { renderPath, type Finding } from "./problem.ts";

/** The path of the key or value that starts at `offset`, or of the smallest that holds it. */
export function pathAt(document: Document.Parsed, offset: number): string {
  const path: (string | number)[] = [];
  let node: unknown = document.contents;
  for (;;) {
    if (isMap(node)) {
      const pair = node.items.findLast((item) => startOf(item.key) <= offset);
      if (pair === undefined || !isScalar(pair.key)) break;
      path.push(String(pair.key.value));
      // What is not YAML has no schema either, and below these a key may be a secret.
      if (/^(secrets|credentials|env)$/.test(String(pair.key.value))) break;
      if (startOf(pair.value) > offset) break;
      node = pair.value;
    } else if (isSeq(node)) {
      const index = node.items.findLastIndex((item) => startOf(item) <= offset);
      if (index < 0) break;
      path.push(index);
      node = node.items[index];
    } else break;
  }
  return renderPath(path);
}

/** Where a finding points: the key, the value, or (what is missing) the nearest thing around it that exists. */
export function offsetOf(document: Document.Parsed, finding: Finding): number {
  let node: unknown = document.contents;
  let offset = startOf(node);
  for (const [index, part] of finding.path.entries()) {
    const last = index === finding.path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === part);
      if (pair === undefined) return offset;
      const [key, value] = [startOf(pair.key), startOf(pair.value)];
      node = pair.value;
      // A block's own start is its first field; the key above it is what a person looks for.
      const block = (isMap(node) || isSeq(node)) && node.flow !== true;
      const nothing = !Number.isFinite(value) || (isScalar(node) && node.source === "");
      offset = (last && finding.key === true) || block || nothing ? key : value;
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part];
      if (node === undefined) return offset;
      offset = startOf(node);
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number {
  if (isPair(node)) return startOf(node.key);
  return isNode(node) && node.range ? node.range[0] : Number.POSITIVE_INFINITY;
}
