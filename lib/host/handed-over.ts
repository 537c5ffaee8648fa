import { mappedTo, type Operator } from "./operator.ts";

/** The `env` secrets among `names`, as this process' environment has them: for the daemon's memory, never recorded. */
export async function handedOver(
  names: readonly string[],
  operator: () => Promise<Pick<Operator, "secrets">>,
): Promise<Record<string, string>> {
  if (names.length === 0) return {};
  const mapped = await operator();
  const found = names.flatMap((name) => {
    const variable = mappedTo(mapped, name)?.env;
    const value = variable === undefined ? undefined : process.env[variable];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}
