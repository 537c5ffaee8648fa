import { z } from "zod";

/** Where a credential goes on the wire, as it is passed from part to part: exactly one place. `{}` in a path stands for it. */
export const credentialPositionSchema = z.union([
  z.strictObject({ header: z.string().min(1), prefix: z.string().optional() }),
  z.strictObject({ basic: z.string() }),
  z.strictObject({ query: z.string().min(1) }),
  z.strictObject({ path: z.string().min(1) }),
]);
