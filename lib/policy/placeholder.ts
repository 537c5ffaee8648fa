/** What agents hold in place of a secret: `openshell:resolve:env:NAME`, or the form for tools that take no colon. */
export const placeholderForms = ["openshell:resolve:env:", "OPENSHELL-RESOLVE-ENV-"] as const;

/** The value of the variable that stands for a credential inside. */
export const placeholderOf = (variable: string): string => `${placeholderForms[0]}${variable}`;
