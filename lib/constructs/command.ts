/** A program of one's own as the agent, run in the workspace. */
export class Command {
  readonly kind = "command";
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;

  private constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.command = command;
    this.env = env;
  }

  /** `Command.of("node", "server.js")`: no shell, no expansion. */
  static of(program: string, ...args: readonly string[]): Command {
    return new Command([program, ...args], {});
  }

  /** The same with more variables. Never secrets: those stay outside. */
  withEnv(env: Readonly<Record<string, string>>): Command {
    return new Command(this.command, { ...this.env, ...env });
  }
}
