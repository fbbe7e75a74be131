/** The bans of one exchange, by the host that answered with each: its futures may ban us while its spot markets answer. @module */
import type { Clock } from "../clock.ts";
import { Ban } from "./ban.ts";
import { FetchError } from "./fetch_error.ts";

/** A ban in force. */
export interface HostBan {
  /** Undefined if it is not known: then all hosts count as banned. */
  readonly host: string | undefined;
  /** Milliseconds. */
  readonly untilMs: number;
  readonly reason: string;
}

export class Bans {
  readonly #exchange: string;
  readonly #clock: Clock;
  readonly #byHost = new Map<string | undefined, Ban>();
  /** Hosts that have answered since the start, if only with a ban. */
  readonly #asked = new Set<string>();
  /** Errors that were thrown because of a ban, so that nothing was sent: they are no bans. */
  readonly #heldBack = new WeakSet<FetchError>();

  #restoring: Promise<unknown> | undefined;

  constructor(exchange: string, clock: Clock) {
    this.#exchange = exchange;
    this.#clock = clock;
  }

  /** Until when the longest of them lasts. Milliseconds; in the past when there is none. */
  get untilMs(): number {
    return [...this.#byHost.values()].reduce((latest, { untilMs }) => Math.max(latest, untilMs), 0);
  }

  /** Those in force. */
  get inForce(): readonly HostBan[] {
    return [...this.#byHost].filter(([, { untilMs }]) => this.#clock.now() < untilMs)
      .map(([host, { untilMs, reason }]) => ({ host, untilMs, reason }));
  }

  /** Puts a ban from before a restart back in force, unless a longer one is. */
  restore({ host, untilMs, reason }: HostBan): void {
    this.#of(host).restore(untilMs, reason);
  }

  /** Requests wait until `reading` has settled: it restores what another process was told. */
  restoreBy(reading: Promise<unknown>): void {
    const restoring = reading.catch(() => {}).finally(() => {
      if (this.#restoring === restoring) this.#restoring = undefined;
    });
    this.#restoring = restoring;
  }

  /** Resolves when all is restored, which takes no time but after {@linkcode restoreBy}. */
  async restored(): Promise<void> {
    while (this.#restoring !== undefined) await this.#restoring;
  }

  /**
   * Until when a host has banned us. Milliseconds; undefined when it has not. Without a host: until when all hosts that have
   * answered since the start have.
   */
  untilMsOf(host: string | undefined): number | undefined {
    return this.#barring(host)?.untilMs;
  }

  /** @throws FetchError `rate_limited` while a ban bars requests to a host; without one, while bans bar all of them. */
  assertOpen(host?: string): void {
    const ban = this.#barring(host);
    if (ban === undefined) return;
    const until = new Date(ban.untilMs).toISOString();
    const error = new FetchError(
      "rate_limited",
      `Cannot send requests to ${this.#exchange} before ${until}: ${ban.reason}`,
      { untilMs: ban.untilMs },
    );
    this.#heldBack.add(error);
    throw error;
  }

  /** A host has answered. Returns whether that ends a ban. */
  answered(host: string): boolean {
    const nowMs = this.#clock.now();
    this.#asked.add(host);
    const isEnd = this.#byHost.get(undefined)?.answered(nowMs) === true;
    return this.#of(host).answered(nowMs) || isEnd;
  }

  /** How long a ban lasts of which a host does not say until when. */
  defaultMs(host: string | undefined): number {
    return this.#of(host).defaultMs(this.#clock.now());
  }

  /** Notes that a host has banned us. Returns the ban if it is news, see {@linkcode Ban.note}. */
  note(error: FetchError, host: string | undefined): HostBan | undefined {
    if (this.#heldBack.has(error)) return undefined;
    if (host !== undefined) this.#asked.add(host);
    const ban = this.#of(host);
    if (!ban.note(error, this.#clock.now())) return undefined;
    return { host, untilMs: ban.untilMs, reason: ban.reason };
  }

  #barring(host: string | undefined): Ban | undefined {
    const nowMs = this.#clock.now();
    const isInForce = (ban: Ban | undefined): ban is Ban =>
      ban !== undefined && nowMs < ban.untilMs;
    const ofAll = this.#byHost.get(undefined);
    if (isInForce(ofAll)) return ofAll;
    if (host !== undefined) {
      const own = this.#byHost.get(host);
      return isInForce(own) ? own : undefined;
    }
    const bans = [...this.#asked].map((host) => this.#of(host));
    if (bans.length === 0 || !bans.every(isInForce)) return undefined;
    // The first host that answers again will do.
    return bans.reduce((least, ban) => ban.untilMs < least.untilMs ? ban : least);
  }

  #of(host: string | undefined): Ban {
    const ban = this.#byHost.get(host) ?? new Ban();
    this.#byHost.set(host, ban);
    return ban;
  }
}
