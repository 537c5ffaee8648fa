import { z } from "zod";

/** `environment/name`. */
export const sandboxIdSchema = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, "environment/name: dev/assistant");
