import { z } from "zod";
import { idOf, liveInputs, sandboxSchema } from "../synth/host-objects.ts";
import type { Effect, Observed, ResourceKind } from "./kind.ts";
import type { Difference } from "./difference.ts";
import type { Machine, SandboxReading } from "./machine.ts";
import { isElsewhere, mustBeHere, warnUnobserved } from "./ownership.ts";

const inputs = sandboxSchema.extend({ machine: z.string().min(1) });

/** One isolated agent on this machine. Every change is an update in place: a new one beside the old never runs. */
export function sandboxKind(machine: Machine): ResourceKind<z.infer<typeof inputs>> {
  const subjectOf = (id: string) => `sandbox ${id}`;
  return {
    inputs,
    computed: ["generation", "published"],
    effect: effectOf,

    async foresee({ machine: _owner, ...inputs }, call) {
      const spec = sandboxSchema.safeParse(inputs);
      if (!spec.success) return; // a part of it is known only in the real run
      for (const problem of await machine.foresee(spec.data))
        call.log("warning", `up will refuse: ${problem}`);
    },

    async create({ machine: owner, ...spec }, call) {
      const id = idOf(spec);
      await mustBeHere(machine, { machine: owner }, subjectOf(id));
      return observed(id, owner, await machine.createSandbox(spec, call));
    },

    async read({ id, outputs }, call) {
      if (await isElsewhere(machine, outputs)) {
        await warnUnobserved(machine, outputs, subjectOf(id), call);
        return "unobserved";
      }
      const owner = await machine.identity();
      const reading = owner === undefined ? undefined : await machine.findSandbox(id, call);
      if (owner === undefined || reading === undefined) {
        call.log("warning", `${subjectOf(id)}: not on this machine any more`);
        return "gone";
      }
      return observed(id, owner, reading);
    },

    async update({ id, outputs }, { machine: owner, ...spec }, call) {
      await mustBeHere(machine, outputs, subjectOf(id));
      await mustBeHere(machine, { machine: owner }, subjectOf(id));
      return observed(id, owner, await machine.updateSandbox(spec, call));
    },

    async delete({ id, outputs }, call) {
      await mustBeHere(machine, outputs, subjectOf(id));
      await machine.deleteSandbox(id, call);
    },
  };
}

/** One that died is kept, with the reason: the next `up` starts it again, and `destroy` takes away what it left. */
function observed(id: string, machine: string, reading: SandboxReading): Observed {
  const { spec, generation, published } = reading;
  const problems = reading.running || reading.problems.length > 0 ? reading.problems : ["it is stopped"];
  const inputs = { ...spec, machine };
  return { id, inputs, outputs: { ...inputs, generation, published }, problems };
}

/** Network rules reach the running egress; everything else is built when the agent starts. */
function effectOf(changes: readonly Difference[]): Effect {
  const roots = [...new Set(changes.map(({ root }) => root))];
  const walls = roots.filter((root) => !(liveInputs as readonly string[]).includes(root));
  return {
    replaces: roots.filter((root) => root === "environment" || root === "name"),
    unsettled: walls.length === 0 ? [] : ["generation", ...(walls.includes("ports") ? ["published"] : [])],
    note: walls.length === 0 ? undefined : `restarts the agent (${walls.join(", ")})`,
  };
}
