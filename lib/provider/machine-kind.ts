import { z } from "zod";
import { nameSchema } from "../synth/host-objects.ts";
import type { Recorded, ResourceKind } from "./kind.ts";
import type { Machine } from "./machine.ts";
import { isElsewhere, mustBeHere, warnUnobserved } from "./ownership.ts";

const inputs = z.strictObject({ project: z.string().min(1), environment: nameSchema });

/**
 * The machine that an environment lives on. Its id is the machine's; workspaces and sandboxes take it as an input, so
 * that none can be added from another machine.
 */
export function machineKind(machine: Machine): ResourceKind<z.infer<typeof inputs>> {
  const subjectOf = ({ inputs }: Recorded) => `environment ${String(inputs["environment"])}`;
  return {
    inputs,
    computed: ["machine"],
    effect: () => ({ replaces: [], unsettled: [] }),

    async create(spec, call) {
      const id = await machine.claim(call);
      return { id, inputs: spec, outputs: { ...spec, machine: id }, problems: [] };
    },

    async read(recorded, call) {
      const owner = { machine: recorded.id };
      if (await isElsewhere(machine, owner)) {
        await warnUnobserved(machine, owner, subjectOf(recorded), call);
        return "unobserved";
      }
      return { ...recorded, outputs: { ...recorded.inputs, ...owner }, problems: [] };
    },

    async update(recorded, spec) {
      await mustBeHere(machine, { machine: recorded.id }, subjectOf(recorded));
      return { id: recorded.id, inputs: spec, outputs: { ...spec, machine: recorded.id }, problems: [] };
    },

    async delete(recorded) {
      await mustBeHere(machine, { machine: recorded.id }, subjectOf(recorded));
    },
  };
}
