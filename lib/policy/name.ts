import { z } from "zod";

/** A name that people give: a DNS label of at most 40 characters. `example` stands in the error. */
export const nameLike = (example: string): z.ZodString =>
  z
    .string()
    .max(40, "at most 40 characters")
    .regex(
      /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/,
      `lower-case letters, digits and single dashes, a letter first: ${example}`,
    );
