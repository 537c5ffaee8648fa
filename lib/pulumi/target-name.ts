/** The targets as a person writes them. Apart from what reads them: the command line lists them before it loads anything. */
export const targets = ["host", "gateway", "cluster"] as const;
export type TargetName = (typeof targets)[number];
