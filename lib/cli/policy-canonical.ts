import { Command } from "commander";
import { plain, print, printJson } from "./output.ts";

interface CanonicalOptions {
  readonly encodedSlash?: boolean;
  readonly json?: boolean;
}

/** `nacre policy canonical PATH…`: the path that is matched and forwarded for one that is sent. */
export function policyCanonical(): Command {
  return new Command("canonical")
    .description("the path that is matched and forwarded for one that is sent, or why there is none")
    .argument("<path...>", "as they are sent, without the query")
    .option("--encoded-slash", "as where allow_encoded_slash is true: %2F stays")
    .option("--json", "as JSON: [{ input, path }] or [{ input, error }]")
    .addHelpText("after", "\nExample:\n  $ nacre policy canonical /a/%2e%2e/b//c '/x;v=1/%7Eme'")
    .action(async (inputs: readonly string[], options: CanonicalOptions) => {
      const { canonicalPath } = await import("../policy/canonical-path.ts");
      const results = inputs.map((input) => {
        const found = canonicalPath(input, { encodedSlash: options.encodedSlash === true });
        return "path" in found
          ? { input, path: found.path }
          : { input, error: `${found.reason}: ${found.fix}` };
      });
      if (options.json === true) printJson(results);
      else
        for (const { input, path, error } of results)
          print(plain(path === undefined ? `${input} is refused: ${error}` : `${input} is ${path}`));
    });
}
