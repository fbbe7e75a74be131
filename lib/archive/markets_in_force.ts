/** The markets of an exchange: an immutable value that is replaced as a whole when it is loaded again. @module */
import type { Clock } from "../clock.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { MarketList } from "../exchange/market_list.ts";
import type { WishedSeries } from "../exchange/stream_event.ts";
import { priceOf } from "../market/price.ts";
import type { Series } from "../market/series.ts";
import { ceilTime, closedUntil } from "../market/timeframe.ts";
import { SharedRun } from "../policy/shared_run.ts";
import { errorText } from "../text/redact.ts";
import { type LeftOut, leftOutText } from "./left_out.ts";

/** What an exchange listed at one time, and which series of it are archived. */
export interface Markets {
  readonly exchange: string;
  /** When the markets were loaded. Milliseconds. */
  readonly loadedAtMs: number;
  /** The markets of the archived symbols, without those that are not listed any more. */
  readonly list: MarketList;
  /** The series that are requested. */
  readonly series: readonly Series[];
  /** Symbols whose market is suspended. They are not polled, but their history is still requested. */
  readonly suspended: ReadonlySet<string>;
  /** Symbols of dated futures that have ended. They are polled until their last candle is answered for. */
  readonly expired: ReadonlySet<string>;
  /** When the dated futures expire, or have expired; not of those that ended otherwise. Milliseconds. */
  readonly expiresMs: ReadonlyMap<string, number>;
  /** Those that have expired and that the exchange lists no more: it may still give their candles. */
  readonly gone: ReadonlySet<string>;
  /** The configured symbols that the exchange does not list. */
  readonly unlisted: readonly UnlistedSymbol[];
  /** Whether a kind of markets could not be loaded, so that its older markets serve on, or none. */
  readonly isPartial: boolean;
  /** Symbols whose kind of market could not be loaded: nothing is known of them. */
  readonly unloaded: readonly UnloadedSymbol[];
  /** Configured timeframes that this exchange does not have, or not for all kinds of markets. */
  readonly leftOut: readonly LeftOut[];
  /** Configured symbols whose market is called by another symbol now, and that symbol. */
  readonly renamed: readonly (readonly [symbol: string, successor: string])[];
  /** Symbols that mean another market than was archived, for which a new listing begins with these markets. */
  readonly replaced: readonly ReplacedSymbol[];
  /** From when on the market of a symbol may be asked: before, the symbol meant another market. Milliseconds. */
  readonly replacedMs: ReadonlyMap<string, number>;
  /** Archived symbols that are missing but do not count as delisted yet, and since when. Milliseconds. */
  readonly absentSinceMs: ReadonlyMap<string, number>;
  /** Archived symbols that this list lacks and another node's has: that node asks for them. @default none */
  readonly elsewhere?: readonly string[];
}

/** The series that are polled until their last candle is answered for: also those of dated futures that have ended. */
export function followedSeries(
  { series, suspended }: Pick<Markets, "series" | "suspended">,
  { timeframes }: { readonly timeframes: readonly string[] },
): readonly Series[] {
  return series.filter(({ symbol, timeframe }) =>
    timeframes.includes(timeframe.text) && !suspended.has(symbol)
  );
}

/** Those of them that go on. */
export function polledSeries(
  markets: Pick<Markets, "series" | "suspended" | "expired">,
  settings: { readonly timeframes: readonly string[] },
): readonly Series[] {
  return followedSeries(markets, settings).filter(({ symbol }) => !markets.expired.has(symbol));
}

/** Those of them that can be streamed: streams tell of no other price than that of trades. */
export function streamedSeries(
  markets: Pick<Markets, "series" | "suspended" | "expired">,
  settings: { readonly timeframes: readonly string[] },
): readonly Series[] {
  return polledSeries(markets, settings).filter(({ symbol }) => priceOf(symbol) === "trade");
}

/** Where the last closed candle of a series ends: a dated future has none after that in which it expires. Milliseconds. */
export function lastClosedMs(
  markets: Pick<Markets, "expiresMs"> | undefined,
  { symbol, timeframe }: Series,
  nowMs: number,
): number {
  const expiresMs = markets?.expiresMs.get(symbol);
  const closedMs = closedUntil(timeframe, nowMs);
  return expiresMs === undefined ? closedMs : Math.min(closedMs, ceilTime(timeframe, expiresMs));
}

/** The series with their markets, as streams need them. */
export function withMarkets(
  series: readonly Series[],
  { list }: Pick<Markets, "list">,
): readonly WishedSeries[] {
  return series.flatMap(({ symbol, timeframe }) => {
    const market = list.get(symbol);
    return market === undefined ? [] : [{ symbol, timeframe: timeframe.text, market }];
  });
}

/** A configured symbol that the exchange does not list. */
export interface UnlistedSymbol {
  readonly symbol: string;
  /** Listed symbols with a similar name. */
  readonly nearest: readonly string[];
}

/** A configured symbol of a kind of markets that could not be loaded. */
export interface UnloadedSymbol {
  readonly symbol: string;
  readonly error: unknown;
}

/** A symbol that means another market than before. */
interface ReplacedSymbol {
  readonly symbol: string;
  readonly formerId: string;
  readonly marketId: string | undefined;
  /** In words: `XREPZUSD instead of REPV2USD`. */
  readonly difference: string;
  /** The symbol under which the exchange lists the former market; undefined if it does not. */
  readonly successor: string | undefined;
}

/** Markets older than this are loaded again, because exchanges list and delist symbols. */
const MARKETS_AGE_MS_MAX = 24 * 60 * 60_000;

/** If a symbol was refused or is missing, or a kind of markets was not loaded, markets older than this are loaded again. */
const SUSPECT_AGE_MS_MAX = 10 * 60_000;

/** If another node's list has what this one lacks, markets older than this are loaded again: that node may have ended. */
const LACKING_AGE_MS_MAX = 60 * 60_000;

interface RefreshOptions {
  /** Loads the markets. Its signal is aborted when no caller waits for the result any more. */
  readonly load: (
    previous: Markets | undefined,
    options: { readonly signal: AbortSignal },
  ) => Promise<Markets>;
  /** Called with the error when loading failed and older markets stay in use. */
  readonly onFailure: (error: unknown) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/** The markets in force of one exchange: polls, backfills and repairs all use the same value. */
export class MarketsInForce {
  readonly #clock: Clock;
  readonly #loading = new SharedRun<Markets>();
  #value: Markets | undefined;
  /** When loading them last failed. Milliseconds. */
  #failedAtMs = -Infinity;
  #isDoubted = false;
  /** Whether the ledger knows of a market that the value does not have, or the settings want other ones. */
  #isOutdated = false;
  #isLoading = false;
  /** How often the settings came to want others. */
  #renewals = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The markets; undefined until they were loaded for the first time. */
  get value(): Markets | undefined {
    return this.#value;
  }

  /** Whether they are being loaded. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** Their series, also those that other nodes ask for; none before they are loaded. */
  get series(): readonly Series[] {
    return this.#value?.series ?? [];
  }

  /** Call when a symbol was refused. The markets may have changed, so they are loaded again sooner. */
  doubt(): void {
    this.#isDoubted = true;
  }

  /** Call when these markets proved to be older than the ledger: they are loaded again at once. */
  outdate(markets: Markets | undefined): void {
    this.#isOutdated ||= markets === this.#value;
  }

  /** Call when the settings want other series: those that are not wanted are left out, and all is loaded again at once. */
  renew(isWanted: (series: Series) => boolean): void {
    this.#renewals++;
    this.#isOutdated = true;
    this.#failedAtMs = -Infinity;
    if (this.#value === undefined) return;
    // What was said of symbols may be about some that are not wanted any more.
    const said = { unlisted: [], unloaded: [], leftOut: [], renamed: [] };
    this.#value = { ...this.#value, ...said, series: this.#value.series.filter(isWanted) };
  }

  /**
   * Returns the markets, and loads them first when that is due. Concurrent callers share one load; when one of them
   * aborts, the others still wait for the result. If loading fails, the older markets stay in use.
   *
   * @throws what `load` throws, if the markets were never loaded.
   * @throws the reason of `signal` when it aborts.
   */
  async refresh({ load, onFailure, signal }: RefreshOptions): Promise<Markets> {
    const value = this.#value;
    if (value !== undefined && !this.#isDue(value)) return value;
    return await this.#loading.join(async (shared) => {
      this.#isLoading = true;
      try {
        return await this.#load({ load, onFailure, signal: shared });
      } finally {
        this.#isLoading = false;
      }
    }, { signal });
  }

  async #load(
    { load, onFailure, signal }: RefreshOptions & { readonly signal: AbortSignal },
  ): Promise<Markets> {
    for (;;) {
      const renewals = this.#renewals;
      try {
        const markets = await load(this.#value, { signal });
        // Made by settings that do not count any more.
        if (this.#renewals !== renewals) continue;
        this.#value = markets;
        this.#failedAtMs = -Infinity;
        this.#isDoubted = false;
        this.#isOutdated = false;
        return markets;
      } catch (error) {
        if (signal.aborted) throw error;
        if (this.#renewals !== renewals) continue;
        if (this.#value === undefined) throw error;
        // What was cancelled, because another node is to ask the exchange, says nothing of it.
        const isCancelled = error instanceof FetchError && error.kind === "cancelled";
        if (!isCancelled) this.#failedAtMs = this.#clock.now();
        await onFailure(error);
        return this.#value;
      }
    }
  }

  #isDue(
    { loadedAtMs, absentSinceMs, elsewhere, isPartial, expiresMs, expired }: Markets,
  ): boolean {
    const nowMs = this.#clock.now();
    if (nowMs - this.#failedAtMs < SUSPECT_AGE_MS_MAX) return false;
    if (this.#isOutdated) return true;
    const ends = [...expiresMs].filter(([symbol, ms]) => ms <= nowMs && !expired.has(symbol));
    // At the expiry itself, so that the end is in the ledger before anything could count as late.
    if (ends.some(([, ms]) => loadedAtMs < ms)) return true;
    const isDoubtful = this.#isDoubted || absentSinceMs.size > 0 || isPartial || ends.length > 0;
    const ageMs = elsewhere?.length ? LACKING_AGE_MS_MAX : MARKETS_AGE_MS_MAX;
    return nowMs - loadedAtMs >= (isDoubtful ? SUSPECT_AGE_MS_MAX : ageMs);
  }
}

/** What to tell people of markets, one sentence each. */
export interface MarketNews {
  /** Symbols that mean another market than was archived. */
  readonly replaced: readonly string[];
  /** Configured symbols of which nothing is known, because their markets were not loaded. */
  readonly unloaded: readonly string[];
  /** What the settings ask for and this exchange does not have: timeframes, and symbols by their former names. */
  readonly leftOut: readonly string[];
}

/** What is to be told of markets; nothing before they are loaded. */
export function newsOf(markets: Markets | undefined): MarketNews {
  if (markets === undefined) return { replaced: [], unloaded: [], leftOut: [] };
  const { exchange, replaced, unloaded, leftOut, renamed } = markets;
  return {
    leftOut: [
      ...leftOut.map((one) => leftOutText(exchange, one)),
      ...renamed.map(([symbol, successor]) =>
        `${exchange} ${symbol} is called ${successor} now, and gets no new candles. ` +
        `Put ${successor} into SYMBOLS`
      ),
    ],
    replaced: replaced.map(({ symbol, difference }) =>
      `${symbol} now means another market, ${difference}: a new listing begins`
    ),
    unloaded: unloaded.map(({ symbol, error }) => `${exchange} ${symbol}: ${errorText(error)}`),
  };
}
