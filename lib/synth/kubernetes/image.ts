/** What stands where no image is configured: a name that no registry can have, which `up` refuses to use. */
export const unconfigured = (what: string): string => `unconfigured.invalid/${what}`;
