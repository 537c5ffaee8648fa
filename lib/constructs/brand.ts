/**
 * A mark that instances carry under a name of the whole process, so that a class of one copy of this package knows
 * the instances of another copy's (`instanceof` does not).
 */
export function brand(instance: object, name: string): void {
  Object.defineProperty(instance, Symbol.for(`nacre.dev/${name}`), { value: true });
}

export function branded(value: unknown, name: string): boolean {
  return typeof value === "object" && value !== null && Symbol.for(`nacre.dev/${name}`) in value;
}
