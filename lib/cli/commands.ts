import type { Command } from "commander";
import { allow } from "./allow.ts";
import { ask } from "./ask.ts";
import { block, unblock } from "./block.ts";
import { completion } from "./completion.ts";
import { config } from "./config.ts";
import { denials } from "./denials.ts";
import { destroy, forget } from "./destroy.ts";
import { doctor } from "./doctor.ts";
import { exec, shell } from "./exec.ts";
import { gateway } from "./gateway.ts";
import { init } from "./init.ts";
import { logs } from "./logs.ts";
import { policy } from "./policy.ts";
import { reference } from "./reference.ts";
import { run } from "./run.ts";
import { secret } from "./secret.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { synth } from "./synth.ts";
import { preview, refresh, up } from "./up.ts";
import { workspace } from "./workspace.ts";

/** Every command, in the order of `--help`. What a command needs is imported when it runs. */
export const commands = (program: Command): Command[] => [
  init(),
  secret(),
  preview(),
  up(),
  refresh(),
  destroy(),
  forget(),
  workspace(),
  config(),
  synth(),
  status(),
  ask(),
  exec(),
  shell(),
  run(),
  logs(),
  denials(),
  allow(),
  block(),
  unblock(),
  policy(),
  gateway(),
  doctor(),
  start(),
  reference(),
  completion(program),
];
