/** An exchange client with its circuit breaker, retries, ban, learned limits and markets. @module */
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { egressOf } from "../config/egress_setting.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { ExchangeClient } from "../exchange/client.ts";
import type { MarketKind, OnLoaded } from "../exchange/market_kinds.ts";
import type { TopSymbolsOptions } from "../exchange/top_symbols.ts";
import type { MarketList } from "../exchange/market_list.ts";
import type { Priority } from "../exchange/pace.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Series, seriesName } from "../market/series.ts";
import { kindOf, type SymbolKind } from "../market/symbol.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { Breaker, type BreakerOptions } from "../policy/breaker.ts";
import { DeadlineError } from "../policy/deadline.ts";
import { withResilience } from "../policy/resilience.ts";
import type { CapabilityRow } from "../store/capabilities.ts";
import { type BreakerChange, Breakers, configuredKinds } from "./breakers.ts";
import { failureKind, judgeError, mayPass, unreadable } from "./failure_kind.ts";
import { ExpiredRefusals } from "./expired_refusals.ts";
import { ExchangeWork } from "./exchange_work.ts";
import { Capabilities } from "./learned_limits.ts";
import type { Leases } from "./leases.ts";
import { type Markets, MarketsInForce } from "./markets_in_force.ts";
import { type PageAnswer, PageJudge } from "./page_judge.ts";
import { Share } from "./share.ts";

interface ArchivedExchangeOptions {
  readonly client: ExchangeClient;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly onBreaker: (change: BreakerChange) => void;
  /** The leases in force. */
  readonly leases: () => Leases;
  /** Stores what was learned from an answer, see {@linkcode Capabilities}. */
  readonly keepCapability: (row: CapabilityRow) => Promise<void>;
}

interface AskOptions {
  readonly priority: Priority;
  readonly signal?: AbortSignal | undefined;
  /** See {@linkcode ExchangeWork.run}. @default false: only what this node holds is asked for */
  readonly isBeyondShare?: boolean | undefined;
}

interface GuardOptions extends AskOptions {
  /** @default the main one of the exchange */
  readonly breaker?: Breaker | undefined;
  readonly subject?: string | undefined;
  /** The symbol that is asked for. @default the exchange as a whole */
  readonly symbol?: string | undefined;
  /** The host that is asked, if it is known. */
  readonly host?: string | undefined;
  /** See {@linkcode ExchangeClient.turn}. @default false */
  readonly isElsewhere?: boolean | undefined;
  /** @default `RETRY_ATTEMPTS` */
  readonly attempts?: number | undefined;
}

interface LoadOptions extends AskOptions {
  /** The markets in force: theirs are used of a kind that cannot be loaded. */
  readonly previous: MarketList | undefined;
  /** Called when a kind was loaded. */
  readonly onLoaded: OnLoaded;
  /** Called when one kind of several cannot be loaded. Whether to go on without it. */
  readonly mayLack: (kind: MarketKind, error: unknown) => boolean;
}

interface AskPageOptions extends AskOptions {
  /** Whether to name the window's end, to see whether older candles come then. @default where that was learned */
  readonly isUntilSent?: boolean | undefined;
  /** The markets to use for the request. @default those in force */
  readonly markets?: Markets | undefined;
}

/** The list that is used before the markets are loaded. */
const NOTHING_LISTED: MarketList = new Map();

/** All requests to one exchange go through here. */
export class ArchivedExchange {
  readonly client: ExchangeClient;
  /** The name of the address by which it is reached. */
  readonly egress: string;
  readonly breakers: Breakers;
  readonly capabilities: Capabilities;
  readonly markets: MarketsInForce;
  /** What of it this node asks for. */
  readonly share: Share;
  readonly work: ExchangeWork;
  /** Which series of futures that have expired are refused. */
  readonly expired = new ExpiredRefusals();
  #options: ArchivedExchangeOptions;
  readonly #judge: PageJudge;

  constructor(options: ArchivedExchangeOptions) {
    const { client, config, clock, onBreaker, leases, keepCapability } = options;
    this.#options = options;
    this.client = client;
    this.egress = egressOf(config, client.id);
    this.markets = new MarketsInForce(clock);
    this.share = new Share(client.id, { leases, markets: this.markets });
    this.work = new ExchangeWork(client.id, this.share);
    this.capabilities = new Capabilities(client.id, {
      limits: (marketClass) => client.limitsOf(marketClass),
      clock,
      keep: keepCapability,
    });
    this.#judge = new PageJudge(client.id, { ...options, capabilities: this.capabilities });
    this.breakers = new Breakers(configuredKinds(settingsOf(config, client.id).symbols), {
      ...this.#breakerOptions(),
      // The last requests of a client that was replaced say nothing of the one in its place.
      onChange: (change) => this.work.isOpen ? onBreaker(change) : undefined,
    });
  }

  /** Uses the retries and the timeout of other settings from now on. */
  configure(config: Config): void {
    this.#options = { ...this.#options, config };
  }

  #breakerOptions(): BreakerOptions & { readonly name: string } {
    const { client, config, clock } = this.#options;
    return { ...config.breaker, clock, judge: judgeError, name: client.id };
  }

  get id(): string {
    return this.client.id;
  }

  /** The proved denial of access, or whether none is known yet. */
  get denial(): ExchangeClient["denial"] {
    return this.client.denial;
  }

  /** Whether access to the candles of a symbol is refused: other kinds of markets may have another host. */
  isDenied(symbol: string): boolean {
    return this.client.hosts.isDenied(symbol);
  }

  /** How long after its close a candle may still change. Milliseconds. */
  get settleMs(): number {
    return this.capabilities.settleMs;
  }

  /**
   * Until when nothing is asked about a symbol although other kinds of markets may be: its kind is down, or has banned us.
   * Milliseconds, in the past while a trial request runs; undefined when its kind may be asked, or no kind may.
   */
  downUntilMs(symbol: string): number | undefined {
    const downMs = this.breakers.downUntilMs(symbol);
    const bannedMs = this.client.hosts.bannedUntilMs(symbol);
    return downMs === undefined || bannedMs === undefined
      ? downMs ?? bannedMs
      : Math.max(downMs, bannedMs);
  }

  /** The kinds of markets that have banned us while others have not. */
  get bannedKinds(): readonly SymbolKind[] {
    const banned = this.markets.series.map(({ symbol }) => symbol)
      .filter((symbol) => this.client.hosts.bannedUntilMs(symbol) !== undefined);
    // After a restart: nothing is known of their hosts.
    const unloaded = (this.markets.value?.unloaded ?? [])
      .flatMap(({ symbol, error }) => failureKind(error) === "rate_limited" ? [symbol] : []);
    return [...new Set([...banned, ...unloaded].map(kindOf))].sort();
  }

  /** The series that this node asks for; none before the markets are loaded. */
  get series(): readonly Series[] {
    return this.share.markets?.series ?? [];
  }

  /** Most candles per page of a series: the least of `PAGE_LIMIT`, the assumed limit and the learned one. */
  pageRowsMax(series: Series): number {
    const learned = this.capabilities.of(series).pageRowsMax.value;
    return Math.min(this.client.pageRowsMax(series), learned);
  }

  /**
   * Requests one window, as `retry(breaker(deadline(fetch)))`, and judges the answer.
   *
   * @throws FetchError, DeadlineError, BreakerOpenError
   * @throws MalformedPageError when the rows contradict each other.
   */
  async askPage(series: Series, window: Window, options: AskPageOptions): Promise<PageAnswer> {
    const { list = NOTHING_LISTED } = options.markets ?? this.markets.value ?? {};
    const isUntilNeeded = (): boolean => this.capabilities.of(series).isUntilNeeded;
    const isUntilSent = options.isUntilSent === true || isUntilNeeded();
    const host = await this.client.hostOf(series, list);
    const verdict = await this.guarded(
      `fetch candles of ${seriesName(series)}`,
      {
        ...options,
        ...this.breakers.guardOf(series, options.priority),
        symbol: series.symbol,
        host,
      },
      async (signal) => {
        const page = await this.client.fetchCandles(series, window, { list, isUntilSent, signal })
          .catch((error) => {
            throw unreadable(error, window) ?? error;
          });
        return this.#judge.judge(series, window, { ...page, isUntilSent });
      },
    );
    await this.capabilities.keep();
    // What came without an end proves nothing, if another page has shown meanwhile that the end is needed.
    return isUntilSent || !isUntilNeeded() ? verdict : await this.askPage(series, window, options);
  }

  /** Learns how far back the exchange goes: its oldest candle of a series opens at `reachFromMs`. */
  async learnReach(series: Series, reachFromMs: number): Promise<void> {
    this.capabilities.learnReach(series, reachFromMs);
    await this.capabilities.keep();
  }

  /** Learns that a candle of this exchange was only now changed, after its close. */
  async learnSettling(series: Series, openTimeMs: number): Promise<void> {
    const untilMs = addCandles(series.timeframe, openTimeMs, 1);
    const ageMs = this.#options.clock.now() - untilMs;
    this.capabilities.learnSettling(series, { sinceMs: openTimeMs, untilMs, ageMs });
    await this.capabilities.keep();
  }

  /** Loads the markets, with the same retries and breaker as pages. Does not change the markets in force. */
  async loadMarkets({ previous, onLoaded, mayLack, ...options }: LoadOptions): Promise<MarketList> {
    return await this.client.loadMarkets({
      signal: options.signal,
      previous,
      onLoaded,
      each: async (kind, load) => {
        const isMain = kind.isSpot || kind.isAlone;
        const breaker = isMain ? this.breakers.main : new Breaker(this.#breakerOptions());
        // Polls wait for this load: when markets are in force, one attempt is enough, and the next load makes another.
        const attempts = isMain || previous === undefined ? undefined : 1;
        try {
          const name = `load the ${kind.title} of ${this.id}`;
          // Kinds that are loaded apart may be listed by hosts of their own.
          const isElsewhere = !kind.isAlone;
          return await this.guarded(name, { ...options, breaker, attempts, isElsewhere }, load);
        } catch (error) {
          if (kind.isAlone || !mayLack(kind, error)) throw error;
          return false;
        }
      },
    });
  }

  /**
   * The most traded symbols of a list of all markets, all of one kind, requested with the same retries as pages. What fails
   * of contracts says nothing of the others.
   */
  async topSymbols(
    list: MarketList,
    { tops, ...options }: AskOptions & { readonly tops: readonly TopSymbolsOptions[] },
  ): Promise<readonly string[]> {
    const isOfContracts = tops.every(({ kind = "spot" }) => kind !== "spot");
    const breaker = isOfContracts ? new Breaker(this.#breakerOptions()) : undefined;
    return await this.guarded(
      `fetch the tickers of ${this.id}`,
      { ...options, breaker },
      (signal) => this.client.topSymbols(list, { tops, signal }),
    );
  }

  /** Does one call to the exchange as `retry(breaker(deadline(fn)))`, when its turn comes. `name` says what it does. */
  async guarded<T>(
    name: string,
    { priority, breaker = this.breakers.main, subject, host, isElsewhere, attempts, ...about }:
      GuardOptions,
    fn: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { config, clock, random, metrics, log } = this.#options;
    return await this.work.run(about, (signal, waits) =>
      withResilience(async ({ signal }) => {
        const startMs = clock.now();
        try {
          return await fn(signal);
        } catch (error) {
          // When the deadline has passed, `error` only says that the call was cancelled.
          const cause = signal.reason instanceof DeadlineError ? signal.reason : error;
          metrics.fetchFailures.inc({ exchange: this.id, kind: failureKind(cause) });
          throw error;
        } finally {
          metrics.fetchDurationSeconds.observe(
            { exchange: this.id },
            (clock.now() - startMs) / 1000,
          );
        }
      }, {
        ...config.retry,
        ...(attempts === undefined ? {} : { attempts }),
        breaker,
        subject,
        timeoutMs: config.fetchTimeoutMs,
        clock,
        random,
        name,
        signal,
        waits,
        before: async (signal) => {
          await this.client.turn(priority, { host, isElsewhere, signal });
          this.work.assertShared(about);
        },
        isRetryable: mayPass,
        onRetry: ({ attempt, delayMs, error }) => {
          metrics.retries.inc({ exchange: this.id });
          log.debug("trying a request again", { exchange: this.id, attempt, delayMs, error });
        },
      }));
  }
}
