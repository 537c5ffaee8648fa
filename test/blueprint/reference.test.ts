import { expect, test } from "vitest";
import {
  blueprintReference,
  gatewayReference,
  overlayReference,
  policyReference,
  presetReference,
} from "../../lib/blueprint/reference.ts";
import { blueprintSchema } from "../../lib/blueprint/schema.ts";
import { gatewaySchema } from "../../lib/blueprint/gateway.ts";
import { bare, notesOf, shapeOf } from "../../lib/blueprint/shape.ts";
import { policyDocumentSchema } from "../../lib/blueprint/policy-document.ts";
import { z } from "zod";
import { catalogue } from "./fixtures.ts";

test.for([
  ["blueprint", blueprintReference()],
  ["policy", policyReference()],
  ["overlay", overlayReference()],
  ["gateway", gatewayReference()],
  ["presets", presetReference(catalogue)],
])("the reference of %s reads as it was reviewed", async ([name, text]) => {
  await expect(text).toMatchFileSnapshot(`reference/${name!}.md`);
});

test("every field is described", () => {
  const undescribed: string[] = [];
  const visit = (schema: z.core.$ZodType, path: string): void => {
    const inner = bare(schema);
    if (inner instanceof z.core.$ZodRecord) visit(inner._zod.def.valueType, `${path}.NAME`);
    else if (inner instanceof z.core.$ZodArray) visit(inner._zod.def.element, `${path}[]`);
    else {
      for (const [name, field] of Object.entries(shapeOf(inner))) {
        if (notesOf(field).description === undefined) undescribed.push(`${path}.${name}`);
        visit(field, `${path}.${name}`);
      }
    }
  };
  visit(blueprintSchema, "blueprint");
  visit(policyDocumentSchema, "policy");
  visit(gatewaySchema, "gateway");
  expect(undescribed).toEqual([]);
});
