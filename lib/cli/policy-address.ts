import { Command } from "commander";
import { plain, print, printJson, table } from "./output.ts";

/** `nacre policy address IP…`: what an address is, and whether it is dialled without the operator's grant. */
export function policyAddress(): Command {
  return new Command("address")
    .description("what an address is, and whether it is dialled without the operator's grant")
    .argument("<ip...>", "IPv4 or IPv6 addresses, in their strict form")
    .option("--json", "as JSON: [{ address, class, allowed }]; the class of what is no address is null")
    .addHelpText(
      "after",
      "\nExample:\n  $ nacre policy address 8.8.8.8 10.0.0.1 ::ffff:127.0.0.1 64:ff9b::a00:1",
    )
    .action(async (inputs: readonly string[], options: { readonly json?: boolean }) => {
      const { classOf } = await import("../policy/address-class.ts");
      const results = inputs.map((address) => {
        const found = classOf(address) ?? null;
        return { address, class: found, allowed: found === "public" };
      });
      if (options.json === true) printJson(results);
      else
        print(
          table(
            ["ADDRESS", "CLASS", "ALLOWED"],
            results.map((one) => [plain(one.address), one.class ?? "no address", one.allowed ? "yes" : "no"]),
          ),
        );
    });
}
