/** Keeps this process' share of an archive on a server, which several nodes may work on. @module */
import type { Archive } from "../archive/archive.ts";
import type { LeaseChange, LeaseListener, Leases, LeaseStamp } from "../archive/leases.ts";
import { beat, type NodeEntry, type NodeHoldings, releaseNode } from "../store/nodes.ts";
import type { Config } from "../config/config.ts";
import { withDeadline } from "../policy/deadline.ts";
import { errorText } from "../text/redact.ts";
import { LeaseClock } from "./lease_clock.ts";
import { isToldByPool, LeaseConnection } from "./lease_connection.ts";
import { LEASE_TIMES, type LeaseTimes } from "./lease_times.ts";
import { HeldLeases, joined, LEAD, type Leaving } from "./held_leases.ts";
import { Wants } from "./wants.ts";

/** What depends on the settings, which a reload may change. */
export interface NodeSettings {
  readonly settingsHash: string;
  /** By variable, without secrets. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** By which address an exchange is reached. */
  readonly egressOf: (exchange: string) => string;
}

interface NodeLeasesOptions extends Pick<NodeEntry, "name" | "kind" | "place" | "version"> {
  readonly archive: Pick<Archive, "config" | "database" | "clock" | "log">;
  readonly settingsOf: (config: Config) => NodeSettings;
  /** @default {@linkcode LEASE_TIMES} */
  readonly times?: LeaseTimes;
}

/** The leases of one node. Without a database that answers, it holds nothing after a while, and goes on trying. */
export class NodeLeases implements Leases {
  readonly #options: NodeLeasesOptions;
  readonly #times: LeaseTimes;
  readonly #clock: LeaseClock;
  readonly #connection: LeaseConnection;
  readonly #held = new HeldLeases();
  readonly #wants = new Wants();
  readonly #listeners = new Set<LeaseListener>();
  readonly #stopping = new AbortController();
  #node: string = crypto.randomUUID();
  /** Which settings the database knows of this node; undefined while it does not know the node. */
  #told: Config | undefined;
  #isSuccessor = true;
  /** Of the configuration that they are made of. */
  #settings: { readonly of: Config; readonly settings: NodeSettings } | undefined;
  #beats = 0;
  /** The newest of them that was answered. */
  #answeredBeat = 0;
  #released: Leaving[] = [];
  #isWaiting = false;
  /** Why the newest try failed: it is logged only when that changes. */
  #failure: string | undefined;
  #wake = Promise.withResolvers<void>();
  #running: Promise<unknown> | undefined;

  constructor(options: NodeLeasesOptions) {
    this.#options = options;
    this.#times = options.times ?? LEASE_TIMES;
    const { clock, database } = options.archive;
    this.#clock = new LeaseClock(clock, this.#times.leaseMs);
    this.#connection = new LeaseConnection({ clock, database, times: this.#times });
  }

  get node(): string {
    return this.#node;
  }

  /** Whether others still work on what this node is to have, or the database does not answer, so that it holds nothing. */
  get isWaiting(): boolean {
    return this.#isWaiting || !this.#clock.isValid;
  }

  get isLeader(): boolean {
    return this.#clock.isValid && this.#held.holds(LEAD, "");
  }

  mayAsk(exchange: string): boolean {
    return this.#clock.isValid && this.#held.mayAsk(exchange);
  }

  holds(exchange: string, symbol: string): boolean {
    return this.#clock.isValid && this.#held.holds(exchange, symbol);
  }

  stampOf(exchange: string, symbol: string): LeaseStamp | undefined {
    return this.#held.stampOf(exchange, symbol);
  }

  onChange(listener: LeaseListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async want(
    exchange: string,
    symbols: readonly string[],
    lacked: readonly string[] = [],
  ): Promise<void> {
    const told = this.#wants.set(exchange, symbols, lacked);
    if (told === undefined || this.#stopping.signal.aborted) return;
    this.#hurry();
    await told;
  }

  async follow(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const told = this.#wants.touch();
    this.#hurry();
    await told;
  }

  /** Claims for the first time, and from now on. Resolves when the database has answered, or did not in time. */
  async start(): Promise<void> {
    this.#connection.open();
    await this.#beat();
    this.#running = Promise.all([this.#beatOn(), this.#watch()]);
  }

  /** Call when all work has ended. Others have what this node held from then on. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort(new Error("the node is stopping"));
    this.#wants.give();
    await this.#running;
    const { clock, log } = this.#options.archive;
    const release = (): Promise<void> => releaseNode(this.#connection.database, this.#node);
    await withDeadline(this.#times.releaseMs, release, { clock, name: "the release of leases" })
      .catch((error: unknown) =>
        log.info("leases were not released: other nodes wait for their end", { error })
      );
    this.#held.drop(undefined);
    await this.#connection.close();
  }

  #hurry(): void {
    this.#wake.resolve();
  }

  async #beatOn(): Promise<void> {
    const { signal } = this.#stopping;
    for (let restMs = this.#times.beatMs; !signal.aborted;) {
      await this.#rest(restMs);
      if (!signal.aborted) restMs = await this.#beat();
    }
  }

  async #rest(ms: number): Promise<void> {
    const { clock } = this.#options.archive;
    const timer = new AbortController();
    const signal = AbortSignal.any([timer.signal, this.#stopping.signal]);
    await Promise.race([this.#wake.promise, clock.sleep(ms, { signal }).catch(() => {})]);
    timer.abort();
  }

  /** Tells listeners in time that what is held is not any more, also while a statement hangs. */
  async #watch(): Promise<void> {
    const { clock, log } = this.#options.archive;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await clock.sleep(this.#times.soonMs, { signal }).catch(() => {});
      if (this.#clock.isValid || signal.aborted) continue;
      const seconds = this.#times.leaseMs / 1000;
      if (!this.#drop("away")) continue;
      log.info("nothing is asked for until the database answers again", { seconds });
    }
  }

  /** One try. Never throws. Returns how long to rest until the next one. */
  async #beat(): Promise<number> {
    const { beatMs, soonMs } = this.#times;
    this.#wake = Promise.withResolvers<void>();
    // Nobody waits for a database that hangs longer than for a try.
    if (this.#connection.isHanging) return this.#wants.give(), soonMs;
    const sent = this.#wants.revision;
    try {
      // Where others have taken it for ended, it begins anew at once.
      const holdings = await this.#ask() ?? await this.#ask();
      if (holdings === undefined) return soonMs;
      this.#apply(holdings);
      this.#isWaiting = holdings.isWaiting;
      return holdings.isWaiting ? soonMs : beatMs;
    } catch (error) {
      this.#tellFailure(error);
      return soonMs;
    } finally {
      this.#wants.give(sent);
    }
  }

  /** @throws StoreError, DeadlineError */
  async #ask(): Promise<NodeHoldings | undefined> {
    const { archive: { config, log } } = this.#options;
    const { leaseMs } = this.#times;
    const settings = this.#settingsOf(config);
    const proved = this.#clock.start();
    const wanted = this.#wants.untold(config.exchanges, settings.egressOf);
    const released = [...this.#released];
    const count = ++this.#beats;
    const statement = beat(this.#connection.database, {
      node: this.#node,
      count,
      leaseMs,
      entry: this.#told === config ? undefined : this.#entryOf(settings),
      wanted: wanted?.symbols,
      released: released.length === 0 ? undefined : joined(released),
    });
    const holdings = await this.#connection.answerOf(statement, this.#stopping.signal);
    // What was released meanwhile comes with the next one.
    this.#released = this.#released.filter((one) => !released.includes(one));
    if (holdings === undefined) {
      log.warn("this node was away for so long that others took it for ended: it begins anew");
      this.#beginAnew();
      return undefined;
    }
    // A moment without leases is told, too: work was refused in it.
    if (!this.#clock.isValid) this.#drop("away");
    [this.#told, this.#isSuccessor] = [config, false];
    proved();
    wanted?.isTold();
    if ((holdings.knownCount ?? Infinity) < this.#answeredBeat) this.#tellAnew();
    this.#answeredBeat = count;
    return holdings;
  }

  /** A server that has taken over lacks the last that the one before was told. */
  #tellAnew(): void {
    this.#told = undefined;
    this.#wants.forget();
    this.#hurry();
  }

  /** Other nodes have ended this one: its leases are not its own any more. */
  #beginAnew(): void {
    this.#node = crypto.randomUUID();
    this.#told = undefined;
    this.#clock.end();
    this.#released = [];
    this.#wants.forget();
    this.#held.forgetLeaving();
    this.#drop("taken");
  }

  /** Holds nothing any more. Returns whether it held something. */
  #drop(cause: LeaseChange["cause"]): boolean {
    const changes = this.#held.drop(cause);
    for (const change of changes) void this.#tell(change);
    return changes.length > 0;
  }

  #apply(holdings: NodeHoldings): void {
    const { log } = this.#options.archive;
    const { changes, leaving } = this.#held.apply(holdings, {
      node: this.#node,
      isWanted: (exchange, symbol) => exchange === LEAD || this.#wants.has(exchange, symbol),
    });
    const told = Map.groupBy(
      changes.map((change) => ({ exchange: change.exchange, ended: this.#tell(change) })),
      ({ exchange }) => exchange,
    );
    for (const { exchange, gained, lost, cause } of changes) {
      const level = cause === "taken" ? "info" : "debug";
      const counts = { gained: gained.length, lost: lost.length };
      log[level]("this node's share has changed", { exchange, ...counts, cause });
    }
    for (const one of leaving) {
      const work = told.get(one.exchange)?.map(({ ended }) => ended) ?? [];
      void this.#release(one, Promise.all(work));
    }
  }

  /** Releases what another node is to have when the work for it has ended, or has not for long: then pages tell by their lease. */
  async #release(leaving: Leaving, work: Promise<unknown>): Promise<void> {
    const { clock, log } = this.#options.archive;
    const { signal } = this.#stopping;
    const node = this.#node;
    await withDeadline(this.#times.handoverMs, () => work, { clock, signal, name: "the work" })
      .catch((error: unknown) =>
        log.debug("leases are released before the work for them has ended", {
          exchange: leaving.exchange,
          error,
        })
      );
    if (node !== this.#node) return;
    this.#released.push(leaving);
    this.#hurry();
  }

  async #tell(change: LeaseChange): Promise<void> {
    const { log } = this.#options.archive;
    await Promise.all([...this.#listeners].map(async (listener) => {
      try {
        await listener(change);
      } catch (error) {
        log.warn("what follows from a change of leases has failed", { ...change, error });
      }
    }));
  }

  #tellFailure(error: unknown): void {
    const { log } = this.#options.archive;
    const text = errorText(error);
    // That the database is away is told by the pool.
    const isNews = text !== this.#failure && !isToldByPool(error);
    this.#failure = text;
    log[isNews ? "warn" : "debug"]("this node could not tell that it lives", { error });
  }

  #settingsOf(config: Config): NodeSettings {
    if (this.#settings?.of !== config) {
      this.#settings = { of: config, settings: this.#options.settingsOf(config) };
    }
    return this.#settings.settings;
  }

  #entryOf({ settingsHash, settings }: NodeSettings): NodeEntry {
    const { name, kind, place, version } = this.#options;
    return { name, kind, place, version, settingsHash, settings, succeeds: this.#isSuccessor };
  }
}
