const bounds = {
  /** Captured connections at one time, decided or not. */
  connections: 10_000,
  /** Connections that wait for a decision or a ClientHello. */
  undecided: 512,
  /** Milliseconds from the connection to a whole ClientHello. */
  helloMs: 10_000,
  /** Bytes of records that a ClientHello may take. Post-quantum ones take 2 KiB. */
  helloBytes: 32 * 1024,
  /** Names that a certificate is kept for at one time. */
  leaves: 1_024,
  /** Bytes of one request's head, and of one answer's: sites answer with long policies and many cookies. */
  headBytes: 32 * 1024,
  answerHeadBytes: 64 * 1024,
  /** Milliseconds that an origin is given to say `100 Continue`; then the body goes to it unasked (RFC 9110, 10.1.1). */
  continueMs: 1_000,
  /** Milliseconds from a request's first byte to the end of its head. */
  headMs: 30_000,
  /** Early hints (103) of one request that are passed on. */
  hints: 8,
  /** Requests of one connection that wait for the answer to one before. */
  pipelined: 64,
  /** Bytes and milliseconds of a refused request's body that are read before the refusal. */
  drainBytes: 1024 * 1024,
  drainMs: 5_000,
  /** Milliseconds that an agent's connection is kept without a request. */
  agentIdleMs: 5 * 60 * 1000,
  /** Milliseconds for a TLS handshake with an agent. */
  handshakeMs: 15_000,
  /** Milliseconds that a connection to an origin is kept without a request; servers close them after five seconds and more. */
  keptMs: 4_000,
  /** Kept connections to one origin. */
  kept: 32,
  /** Milliseconds without a byte of an answer. */
  answerMs: 10 * 60 * 1000,
  /** Milliseconds for the system's resolver. */
  resolveMs: 10_000,
  /** Milliseconds that its answer is kept, and of how many names. */
  resolvedMs: 2_000,
  resolved: 1_024,
  /** Milliseconds from the first SYN to a connection, over all addresses. */
  dialMs: 15_000,
  /** Milliseconds until the next address is tried beside the one before (RFC 8305, 8: 250). */
  attemptMs: 250,
  /** Milliseconds for init to answer who owns a socket. */
  ownerMs: 3_000,
  /** Milliseconds without a byte either way until a tunnel is closed: two hours, as TCP's own keep-alive. */
  idleMs: 2 * 3600 * 1000,
  /** The same once one side has finished sending. */
  halfClosedMs: 10 * 60 * 1000,
  /** Names that stand for a synthetic address at one time. */
  names: 16_384,
  /** Milliseconds that a name's address is kept for it after its last use. */
  nameMs: 3600 * 1000,
  /** Bytes of one audit file of each part, and how many old ones are kept: 40 MiB of a sandbox in all. */
  auditBytes: { policy: 1024 * 1024, passed: 6 * 1024 * 1024, refused: 3 * 1024 * 1024 },
  auditFiles: 3,
  /** Milliseconds in which one and the same decision is counted, not repeated. */
  repeatMs: 5_000,
  /** Different decisions that are counted at one time. */
  repeats: 1_024,
  /** Connections on one published port. */
  published: 256,
  /** Bytes of one line on the control channel. */
  commandBytes: 16 * 1024 * 1024,
};

/** Bounds of one egress process. Each keeps a hostile sandbox from using the process up; none shapes honest traffic. */
export const limits: Readonly<typeof bounds> = bounds;
