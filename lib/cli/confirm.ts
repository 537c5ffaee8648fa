import { NacreError } from "../error.ts";

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
  return ask({ message: question, default: false });
}
