/** Which part of an archive this process works on, where several nodes share it. @module */
import type { LeaseStamp } from "../store/lease_stamp.ts";

export type { LeaseStamp };

/** Symbols of an exchange that this node may ask for from now on, or must not any more. */
export interface LeaseChange {
  readonly exchange: string;
  readonly gained: readonly string[];
  readonly lost: readonly string[];
}

export interface Leases {
  /** Whether this process may send requests to an exchange at all: another node of the same egress may do so. */
  mayAsk(exchange: string): boolean;
  /** Whether this process polls, backfills and repairs a symbol. */
  holds(exchange: string, symbol: string): boolean;
  /** What pages of a symbol are stored with; undefined where no leases are kept, and while another node holds it. */
  stampOf(exchange: string, symbol: string): LeaseStamp | undefined;
  /** Says which symbols of an exchange are archived. Resolves when this process' share of them is known. */
  want(exchange: string, symbols: readonly string[]): Promise<void>;
  /** Whether this process does what is done once for the whole archive. */
  readonly isLeader: boolean;
  /** Calls back with every change. Returns what ends that. */
  onChange(listener: (change: LeaseChange) => void): () => void;
}

/** Where no other node can be: an embedded database, or a command that asks nobody. */
export const ALL_LEASES: Leases = {
  mayAsk: () => true,
  holds: () => true,
  stampOf: () => undefined,
  want: () => Promise.resolve(),
  isLeader: true,
  onChange: () => () => {},
};
