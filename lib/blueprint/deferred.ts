/** What stands in a text for a value that only the deployment engine knows; `lib/pulumi` makes it and swaps it back. */
const token = /\$\{deferred:\d+\}/;

/** Whether some part of a text is known at deployment alone. */
export const isDeferred = (text: string): boolean => token.test(text);
