import { expect, test } from "vitest";
import {
  blueprintReference,
  overlayReference,
  policyReference,
  presetReference,
} from "../../lib/blueprint/reference.ts";
import { blueprintSchema } from "../../lib/blueprint/schema.ts";
import { bare, notesOf, shapeOf } from "../../lib/blueprint/shape.ts";
import { policyDocumentSchema } from "../../lib/blueprint/policy-document.ts";
import { z } from "zod";
import { targetReference } from "../../lib/constructs/index.ts";
import { stackConfigSchema } from "../../lib/pulumi/stack-config.ts";
import { stackReference } from "../../lib/pulumi/stack-reference.ts";
import { catalogue } from "./fixtures.ts";

test.for([
  ["blueprint", blueprintReference()],
  ["policy", policyReference()],
  ["overlay", overlayReference()],
  ["presets", presetReference(catalogue)],
  ["stack", stackReference()],
  ["targets", targetReference()],
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
  visit(stackConfigSchema, "nacre:");
  expect(undescribed).toEqual([]);
});
