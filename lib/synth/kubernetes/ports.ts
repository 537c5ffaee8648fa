/** Where the pods of an environment listen. */
export const ports = {
  /** Connections of an agent, each with a PROXY protocol header that says where to. */
  capture: 15_001,
  /** Names that the policy allows. */
  dns: 15_053,
  /** The egress' own health. */
  health: 15_020,
  /** The privacy router. */
  router: 8443,
} as const;
