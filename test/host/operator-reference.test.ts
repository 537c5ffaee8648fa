import { expect, test } from "vitest";
import { z } from "zod";
import { bare, notesOf, shapeOf } from "../../lib/blueprint/shape.ts";
import { operatorSchema } from "../../lib/host/operator.ts";
import { place } from "../cli/missing-run.ts";

test("nacre reference host describes every field of the operator's file, as it was reviewed", async () => {
  const { nacre } = place();
  const ran = nacre(["reference", "host"]);
  expect(ran).toMatchObject({ code: 0, err: "" });
  await expect(ran.out).toMatchFileSnapshot("../blueprint/reference/host.md");
  const fields = Object.entries(shapeOf(operatorSchema)).flatMap(([name, field]) => {
    const inner = bare(field);
    if (inner instanceof z.core.$ZodRecord)
      return [[name, field] as const, ...Object.entries(shapeOf(inner._zod.def.valueType))];
    const items = inner instanceof z.core.$ZodArray ? Object.entries(shapeOf(inner._zod.def.element)) : [];
    return [[name, field] as const, ...items];
  });
  expect(fields.filter(([, field]) => notesOf(field).description === undefined)).toEqual([]);
  for (const [name] of fields) expect(ran.out).toContain(`\`${name}\``);
});
