import { NacreError } from "../error.ts";
import { note } from "./output.ts";

/** Asks a person. Where none is there to answer, nothing is done: say --yes. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new NacreError({
      code: "usage_confirmation",
      subject: question,
      message: "nobody is there to answer",
      hint: "add --yes",
    });
  const { confirm: ask } = await import("@inquirer/prompts");
  return ask({ message: question, default: false }).catch((error: unknown) => {
    // Ctrl-C at the question.
    if (error instanceof Error && error.name === "ExitPromptError") return false;
    throw error;
  });
}

/** The same for a command that ends where the answer is no: exit code 1. */
export async function confirmed(question: string): Promise<boolean> {
  if (await confirm(question)) return true;
  note("nothing was done");
  process.exitCode = 1;
  return false;
}
