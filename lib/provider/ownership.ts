import { NacreError } from "../error.ts";
import type { Call } from "./kind.ts";
import type { Machine } from "./machine.ts";
import type { Properties } from "./wire.ts";

/**
 * One environment, one machine. Every host resource carries the id of the machine that it lives on; another machine
 * (or this one with another state directory) neither observes nor changes it.
 */
export async function isElsewhere(machine: Machine, recorded: Properties): Promise<boolean> {
  const owner = recorded["machine"];
  return typeof owner === "string" && owner !== (await machine.identity());
}

/** @throws NacreError `other_machine` */
export async function mustBeHere(machine: Machine, recorded: Properties, subject: string): Promise<void> {
  if (!(await isElsewhere(machine, recorded))) return;
  const owner = String(recorded["machine"]);
  throw new NacreError({
    code: "other_machine",
    subject,
    message: `it belongs to machine ${owner}, and this state directory is ${await nameOf(machine)}`,
    hint: `run it there; if that machine is lost, drop its records with: nacre forget --machine ${owner}`,
  });
}

export async function warnUnobserved(machine: Machine, recorded: Properties, subject: string, call: Call) {
  const owner = String(recorded["machine"]);
  const here = await nameOf(machine);
  call.log(
    "warning",
    `unobserved: ${subject} lives on machine ${owner}; this one, ${here}, cannot say how it is`,
  );
}

const nameOf = async (machine: Machine): Promise<string> => {
  const id = await machine.identity();
  return id === undefined ? "a machine that was never used" : `machine ${id}`;
};
