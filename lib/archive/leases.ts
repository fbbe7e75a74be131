/** Which part of an archive this process works on, where several nodes share it. @module */
import type { LeaseStamp } from "../store/lease_stamp.ts";

export type { LeaseStamp };

/**
 * Symbols of an exchange that this node may ask for from now on, or must not any more. The lead of the archive is the
 * lease of the symbol "" of the exchange "".
 */
export interface LeaseChange {
  readonly exchange: string;
  readonly gained: readonly string[];
  readonly lost: readonly string[];
  /**
   * Why symbols were lost: another node gets them once the work for them has ended (`handover`), the database did not
   * answer for as long as a lease lasts (`away`), another node holds them (`taken`), or they are not wanted any more.
   * Undefined where none was lost.
   */
  readonly cause?: "handover" | "away" | "taken" | "unwanted" | undefined;
}

/**
 * Is told of every change. In a handover the lease is released when what it returns has settled, or after a few seconds:
 * it ends the work for the symbols that were lost.
 */
export type LeaseListener = (change: LeaseChange) => void | Promise<void>;

export interface Leases {
  /** This node's id, another one after it was away for long. Undefined where no leases are kept. */
  readonly node: string | undefined;
  /** Whether this process may send requests to an exchange at all: another node of the same egress may do so. */
  mayAsk(exchange: string): boolean;
  /** Whether this process polls, backfills and repairs a symbol. */
  holds(exchange: string, symbol: string): boolean;
  /**
   * What pages of a symbol are stored with. Of a symbol that was lost it is the stamp that it had: what is under way ends
   * with it, and is judged by it. Undefined where no leases are kept, and of a symbol that this node has never held: ask
   * {@linkcode Leases.holds} first.
   */
  stampOf(exchange: string, symbol: string): LeaseStamp | undefined;
  /**
   * Says which symbols of an exchange are archived, and which of them its list lacks: they are given to a node whose list has
   * them, if there is one. Resolves when this process' share of them is known, or when the
   * database did not answer: nothing is held then, and what is gained later is told to listeners.
   */
  want(exchange: string, symbols: readonly string[], lacked?: readonly string[]): Promise<void>;
  /**
   * Call when the settings have changed. Resolves when this process' share is known by the new ones, as
   * {@linkcode Leases.want} does.
   */
  follow?(): Promise<void>;
  /** Whether this process does what is done once for the whole archive. */
  readonly isLeader: boolean;
  /** Calls back with every change. Returns what ends that. */
  onChange(listener: LeaseListener): () => void;
}

/** Where no other node can be: an embedded database, or a command that asks nobody. */
export const ALL_LEASES: Leases = {
  node: undefined,
  mayAsk: () => true,
  holds: () => true,
  stampOf: () => undefined,
  want: () => Promise.resolve(),
  isLeader: true,
  onChange: () => () => {},
};
