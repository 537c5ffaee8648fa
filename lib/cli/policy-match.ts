import { Command } from "commander";
import { NacreError } from "../error.ts";
import { plain, print, printJson } from "./output.ts";

/** `nacre policy match PATTERN HOST…`: which hosts a rule's host is for. */
export function policyMatch(): Command {
  return new Command("match")
    .description("which hosts a rule's host is for")
    .argument("<pattern>", "api.example.com, *.example.com, **.example.com, *-api.example.com, or an address")
    .argument("<host...>", "names or addresses")
    .option("--json", "as JSON: [{ host, matches }]")
    .addHelpText(
      "after",
      "\nExample:\n  $ nacre policy match '*.example.com' a.example.com example.com a.b.example.com",
    )
    .action(async (pattern: string, hosts: readonly string[], options: { readonly json?: boolean }) => {
      const { parseHostPattern } = await import("../policy/host-pattern.ts");
      const { HostTrie } = await import("../policy/host-trie.ts");
      const { destinationHost } = await import("./policy-request.ts");
      const parsed = parseHostPattern(pattern);
      if ("reason" in parsed)
        throw new NacreError({
          code: "usage_pattern",
          subject: pattern,
          message: parsed.reason,
          hint: parsed.fix,
        });
      const trie = new HostTrie<true>();
      trie.at(parsed, () => true);
      const results = hosts.map((host) => {
        const name = destinationHost(host);
        return { host, matches: name !== undefined && trie.matching(name).length > 0 };
      });
      if (options.json === true) printJson(results);
      else
        for (const { host, matches } of results) print(plain(`${matches ? "matches" : "differs"}  ${host}`));
    });
}
