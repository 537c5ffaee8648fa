import type { Machine } from "./machine.ts";

/**
 * A machine whose code is loaded when it is first asked. The engine starts the provider once to read and once more for
 * the program, and waits for it each time; the second, where nothing changes, asks the machine nothing.
 */
export function lateMachine(load: () => Promise<Machine>): Machine {
  let loaded: Promise<Machine> | undefined;
  const machine = (): Promise<Machine> => (loaded ??= load());
  return {
    identity: async () => (await machine()).identity(),
    claim: async (call) => (await machine()).claim(call),
    findWorkspace: async (id, call) => (await machine()).findWorkspace(id, call),
    createWorkspace: async (spec, call) => (await machine()).createWorkspace(spec, call),
    deleteWorkspace: async (id, call) => (await machine()).deleteWorkspace(id, call),
    findSandbox: async (id, call) => (await machine()).findSandbox(id, call),
    createSandbox: async (spec, call) => (await machine()).createSandbox(spec, call),
    updateSandbox: async (spec, call) => (await machine()).updateSandbox(spec, call),
    deleteSandbox: async (id, call) => (await machine()).deleteSandbox(id, call),
    foresee: async (spec) => (await machine()).foresee(spec),
  };
}
