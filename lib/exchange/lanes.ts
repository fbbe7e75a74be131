/** The pace of an exchange's requests, and of those for candles of kinds of markets that have servers of their own. @module */
import type { Clock } from "../clock.ts";
import type { Bans } from "./bans.ts";
import { Pace, type Priority } from "./pace.ts";

interface LanesOptions {
  /** Minimum time between two requests of cost 1. Milliseconds. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly bans: Bans;
}

interface Lane {
  readonly pace: Pace;
  /** Turns given whose first request has not been charged yet: their cost of 1 is already paid. */
  turnsPaid: number;
}

/**
 * All requests share one pace, unless it is proved that candles of some kind of market come from another host than those of
 * the main kind: an exchange counts requests by its servers.
 */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #main: Lane;
  readonly #byHost = new Map<string, Lane>();
  /** The host of the main kind's candles; undefined while it is not known. */
  #mainHost: string | undefined;

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#main = { pace: new Pace(options), turnsPaid: 0 };
  }

  /** Whether it is known from which host the candles of the main kind of market come. */
  get isMainKnown(): boolean {
    return this.#mainHost !== undefined;
  }

  /** Notes from which host the candles of the main kind of market come. */
  noteMain(host: string): void {
    this.#mainHost ??= host;
  }

  /** Which requests share a pace with those for candles from a host: the same text for the same pace. */
  nameOf(host: string | undefined): string {
    return this.#of(host) === this.#main ? "" : host ?? "";
  }

  /**
   * Waits for the turn of a request: to the host of some candles, or any other.
   *
   * @throws FetchError `rate_limited` at once while a ban bars it.
   * @throws the signal's reason when it is aborted.
   */
  async turn(
    priority: Priority,
    { host, isElsewhere = false, signal }: {
      readonly host: string | undefined;
      /** Whether it may go to a host that was never asked: which bans bar it is known when it is sent. @default false */
      readonly isElsewhere?: boolean | undefined;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<void> {
    const { bans } = this.#options;
    await bans.restored();
    if (!isElsewhere) bans.assertOpen(host);
    await this.#of(host).pace.turn(priority, signal);
    // An earlier request may have been banned meanwhile.
    if (!isElsewhere) bans.assertOpen(host);
    // Asked for again: it may have become known meanwhile that the host is another one, as it will be when it is charged.
    this.#of(host).turnsPaid++;
  }

  /** Charges the cost that CCXT states for a request, minus the 1 that its turn has paid. */
  charge(cost: number, host: string | undefined): void {
    const lane = this.#of(host);
    const paid = lane.turnsPaid > 0 ? 1 : 0;
    lane.turnsPaid -= paid;
    lane.pace.charge(cost - paid);
  }

  #of(host: string | undefined): Lane {
    if (host === undefined || this.#mainHost === undefined || host === this.#mainHost) {
      return this.#main;
    }
    const lane = this.#byHost.get(host) ?? { pace: new Pace(this.#options), turnsPaid: 0 };
    this.#byHost.set(host, lane);
    return lane;
  }
}
