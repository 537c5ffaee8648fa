import { z } from "zod";
import { idOf, workspaceSchema } from "../synth/host-objects.ts";
import type { ResourceKind } from "./kind.ts";
import type { Machine } from "./machine.ts";
import { isElsewhere, mustBeHere, warnUnobserved } from "./ownership.ts";

const inputs = workspaceSchema.extend({ machine: z.string().min(1) });

/** An agent's folder. It outlives its sandbox: programs keep it by default when the environment goes. */
export function workspaceKind(machine: Machine): ResourceKind<z.infer<typeof inputs>> {
  const subjectOf = (id: string) => `workspace ${id}`;
  return {
    inputs,
    computed: [],
    effect: (changes) => ({
      replaces: changes.map(({ root }) => root).filter((root) => root === "environment" || root === "name"),
      unsettled: [],
    }),

    async create({ machine: owner, ...spec }, call) {
      const id = idOf(spec);
      await mustBeHere(machine, { machine: owner }, subjectOf(id));
      await machine.createWorkspace(spec, call);
      return { id, inputs: { ...spec, machine: owner }, outputs: { ...spec, machine: owner }, problems: [] };
    },

    async read({ id, outputs }, call) {
      if (await isElsewhere(machine, outputs)) {
        await warnUnobserved(machine, outputs, subjectOf(id), call);
        return "unobserved";
      }
      const owner = await machine.identity();
      const spec = owner === undefined ? undefined : await machine.findWorkspace(id, call);
      if (spec === undefined) {
        call.log("warning", `${subjectOf(id)}: not on this machine any more`);
        return "gone";
      }
      return { id, inputs: { ...spec, machine: owner }, outputs: { ...spec, machine: owner }, problems: [] };
    },

    async update({ id, outputs }, { machine: owner, ...spec }, call) {
      await mustBeHere(machine, outputs, subjectOf(id));
      await mustBeHere(machine, { machine: owner }, subjectOf(id));
      await machine.createWorkspace(spec, call);
      return { id, inputs: { ...spec, machine: owner }, outputs: { ...spec, machine: owner }, problems: [] };
    },

    async delete({ id, outputs }, call) {
      await mustBeHere(machine, outputs, subjectOf(id));
      await machine.deleteWorkspace(id, call);
    },
  };
}
