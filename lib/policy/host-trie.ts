import { type Glob, glob } from "./glob.ts";
import type { HostPattern } from "./host-pattern.ts";

interface Node<T> {
  children?: Map<string, Node<T>>;
  /** The name that ends here. */
  exact?: T;
  /** Patterns of one label more, `*` last. */
  labels?: { readonly text: string; readonly matches: Glob; readonly value: T }[];
  /** `**`: one or more labels more. */
  deep?: T;
}

/**
 * Values by host pattern, found in the time that the name's labels take, however many patterns there are.
 * Names are stored from the right: com, example, api.
 */
export class HostTrie<T> {
  readonly #root: Node<T> = {};
  /** Addresses are no names: kept apart, so that no pattern can match one. */
  readonly #addresses = new Map<string, T>();

  /** The value of this very pattern, made at first use. */
  at(pattern: HostPattern, make: () => T): T {
    switch (pattern.kind) {
      case "address": {
        const value = this.#addresses.get(pattern.text) ?? make();
        this.#addresses.set(pattern.text, value);
        return value;
      }
      case "name":
        return (this.#grow(pattern.text).exact ??= make());
      case "deep":
        return (this.#grow(pattern.suffix).deep ??= make());
      case "label": {
        const labels = (this.#grow(pattern.suffix).labels ??= []);
        const known = labels.find((label) => label.text === pattern.first);
        if (known !== undefined) return known.value;
        const entry = { text: pattern.first, matches: glob(pattern.first, "."), value: make() };
        labels.push(entry);
        // The longest text first, so the bare star comes last.
        labels.sort((a, b) => b.text.length - a.text.length);
        return entry.value;
      }
    }
  }

  /** All values whose pattern matches, the most specific first: the name, one label by glob, then `**` inwards out. */
  matching(host: string): T[] {
    const address = this.#addresses.get(host);
    if (address !== undefined) return [address];
    const found: T[] = [];
    let at: Node<T> | undefined = this.#root;
    let end = host.length;
    while (at !== undefined) {
      const start: number = host.lastIndexOf(".", end - 1) + 1;
      const label = host.slice(start, end);
      // Pushed from the widest to the narrowest, and turned round at the end.
      if (at.deep !== undefined) found.push(at.deep);
      if (start === 0) {
        for (let index = (at.labels?.length ?? 0) - 1; index >= 0; index--) {
          const candidate = at.labels?.[index];
          if (candidate?.matches(label) === true) found.push(candidate.value);
        }
      }
      at = at.children?.get(label);
      if (start === 0) {
        if (at?.exact !== undefined) found.push(at.exact);
        break;
      }
      end = start - 1;
    }
    return found.reverse();
  }

  #grow(name: string): Node<T> {
    let at = this.#root;
    for (const label of name.split(".").reverse()) {
      at.children ??= new Map();
      let next = at.children.get(label);
      if (next === undefined) at.children.set(label, (next = {}));
      at = next;
    }
    return at;
  }
}
