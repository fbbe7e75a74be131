/** How long leases last, and what that allows. @module */

export interface LeaseTimes {
  /** How often a node says that it lives. */
  readonly beatMs: number;
  /** The same while the database does not answer, and while other nodes end their work for what this one is to have. */
  readonly soonMs: number;
  /** How long one try may take. */
  readonly tryMs: number;
  /** How long a node holds what it has after it has said that it lives. */
  readonly leaseMs: number;
  /** How long work for what another node is to have may take to end. */
  readonly handoverMs: number;
  /** How long the release at the end may take. The daemon must end within seconds. */
  readonly releaseMs: number;
}

/** Two tries may fail before a lease ends. */
export const LEASE_TIMES: LeaseTimes = {
  beatMs: 5_000,
  soonMs: 1_000,
  tryMs: 6_000,
  leaseMs: 15_000,
  handoverMs: 8_000,
  releaseMs: 3_000,
};
