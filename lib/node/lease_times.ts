/** How long leases last, and what that allows. @module */

export interface LeaseTimes {
  /** How often a node says that it lives. */
  readonly beatMs: number;
  /** The same while the database does not answer, and while other nodes end their work for what this one is to have. */
  readonly soonMs: number;
  /** After this time the server ends a try that waits for something. */
  readonly statementMs: number;
  /** How long one try may take: a connection over which no answer has come by then is dead. */
  readonly tryMs: number;
  /** How long a node holds what it has after it has said that it lives. */
  readonly leaseMs: number;
  /** How long work for what another node is to have may take to end. */
  readonly handoverMs: number;
  /** How long the release at the end may take. The daemon must end within seconds. */
  readonly releaseMs: number;
}

/** A try may be without an answer before a lease ends: the next one, over a new connection, comes in time. */
export const LEASE_TIMES: LeaseTimes = {
  beatMs: 5_000,
  soonMs: 1_000,
  statementMs: 5_000,
  tryMs: 6_000,
  leaseMs: 15_000,
  handoverMs: 8_000,
  releaseMs: 3_000,
};
