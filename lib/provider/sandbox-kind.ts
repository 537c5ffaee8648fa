import { z } from "zod";
import { idOf, liveInputs, sandboxSchema, seccompText, type HostSandbox } from "../synth/host-objects.ts";
import type { Call, Effect, Observed, ResourceKind } from "./kind.ts";
import type { Difference } from "./difference.ts";
import type { Machine, SandboxReading } from "./machine.ts";
import { isElsewhere, mustBeHere, warnUnobserved } from "./ownership.ts";

/** The profile travels as JSON text in its canonical form. */
const inputs = sandboxSchema.extend({
  machine: z.string().min(1),
  seccomp: z.string().superRefine((text, context) => {
    try {
      profileOf(text);
    } catch (error) {
      context.addIssue({
        code: "custom",
        message: error instanceof z.ZodError ? z.prettifyError(error) : "no JSON",
      });
    }
  }),
});
type Sent = z.infer<typeof inputs>;

const profileOf = (text: string): HostSandbox["seccomp"] =>
  sandboxSchema.shape.seccomp.parse(JSON.parse(text));

const specOf = ({ machine: _machine, seccomp, ...spec }: Sent): HostSandbox => ({
  ...spec,
  seccomp: profileOf(seccomp),
});

/** One isolated agent on this machine. Every change is an update in place: a new one beside the old never runs. */
export function sandboxKind(machine: Machine): ResourceKind<Sent> {
  const subjectOf = (id: string) => `sandbox ${id}`;
  return {
    inputs,
    computed: ["generation", "published"],
    effect: effectOf,

    async foresee({ machine: _owner, ...sent }, call) {
      const known = inputs.omit({ machine: true }).safeParse(sent);
      if (!known.success) return; // a part of it is known only in the real run
      const { refusals, conflicts } = await machine.foresee(specOf({ ...known.data, machine: "" }));
      for (const problem of refusals) call.log("warning", `up will refuse: ${problem}`);
      for (const conflict of conflicts) call.log("warning", conflict);
    },

    async create(sent, call) {
      const id = idOf(sent);
      await mustBeHere(machine, sent, subjectOf(id));
      return observed(id, sent.machine, told(await machine.createSandbox(specOf(sent), call), call));
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
      return observed(id, owner, told(reading, call));
    },

    async update({ id, outputs }, sent, call) {
      await mustBeHere(machine, outputs, subjectOf(id));
      await mustBeHere(machine, sent, subjectOf(id));
      return observed(id, sent.machine, told(await machine.updateSandbox(specOf(sent), call), call));
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
  const inputs = { ...spec, machine, seccomp: seccompText(spec.seccomp) };
  return { id, inputs, outputs: { ...inputs, generation, published }, problems };
}

/**
 * What commands said beside the blueprint is told, and is no difference: the engine's record stays the blueprint's, and
 * a run that changes nothing does not take it back.
 */
function told(reading: SandboxReading, call: Call): SandboxReading {
  for (const line of reading.live) call.log("info", line);
  for (const conflict of reading.conflicts) call.log("warning", conflict);
  return reading;
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
