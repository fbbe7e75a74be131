/** Chooses the series of an exchange, from its markets, the configuration and the ledger. @module */
import { opensElsewhere } from "../exchange/limits.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { MarketKind } from "../exchange/market_kinds.ts";
import type { MarketList } from "../exchange/market_list.ts";
import type { Config } from "../config/config.ts";
import { type Series, seriesName } from "../market/series.ts";
import { isSymbol } from "../market/symbol.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { nearest } from "../text/nearest.ts";
import {
  type Checkpoint,
  type EndedWhy,
  readCheckpoints,
  registerSeries,
} from "../store/ledger.ts";
import { type Listing, readListings } from "../store/listings.ts";
import { noteWanted } from "../store/series_bounds.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { archivedTimeframes, wantedOf } from "../archive/desire.ts";
import { reportExchangeFailure } from "../archive/failure.ts";
import {
  type Markets,
  newsOf,
  type UnlistedSymbol,
  type UnloadedSymbol,
} from "../archive/markets_in_force.ts";
import { DeadlineError } from "../policy/deadline.ts";
import { judgeListings, type ListingNews } from "./listing_change.ts";
import { enterListings } from "./listing_watch.ts";

interface LoadOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Returns the markets in force of an exchange. If they are due, loads them again and enters the changes into the
 * ledger. Call before every run.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError, StoreError if the markets were never loaded; the next call
 * tries again.
 */
export async function refreshMarkets(
  archive: Archive,
  exchange: ArchivedExchange,
  { signal }: LoadOptions = {},
): Promise<Markets> {
  return await exchange.markets.refresh({
    load: async (previous, { signal }) => {
      // Without the database the markets are of no use, so check it before requesting them.
      await archive.database.reach();
      const known = { ...await readKnown(archive, exchange.id), previous };
      const ask = async (): Promise<MadeMarkets> =>
        makeMarkets(await askMarkets(archive, exchange, { previous, signal }), known);
      let made = await ask();
      // One list may lack a market by mistake. Another market under its symbol would be recorded for good.
      if (made.markets.replaced.length > 0) made = await ask();
      const { chosen, news, markets: { loadedAtMs: nowMs } } = made;
      await registerSeries(archive.database, chosen, archive.config.symbols.kind);
      const settling = new Map([[exchange.id, exchange.settleMs]]);
      const wanted = wantedOf(chosen, archive.config, { nowMs, settling });
      await noteWanted(archive.database, wanted);
      await enterListings(archive, exchange.id, { news, series: chosen, nowMs });
      for (const { error } of made.markets.unloaded.slice(0, 1)) {
        await reportExchangeFailure(archive, exchange.id, error);
      }
      return settle(archive, exchange, made);
    },
    onFailure: (error) => reportExchangeFailure(archive, exchange.id, error),
    signal,
  });
}

/**
 * Loads markets for the caller only. Writes nothing and does not change the markets in force: a plan must not register
 * series, because with `SYMBOLS=top:N` a registered series is never dropped.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError, StoreError
 */
export async function readMarkets(
  archive: Archive,
  exchange: ArchivedExchange,
  { signal }: LoadOptions = {},
): Promise<Markets> {
  await archive.database.reach();
  const answer = await askMarkets(archive, exchange, { previous: undefined, signal });
  const known = await readKnown(archive, exchange.id);
  const made = makeMarkets(answer, { ...known, previous: undefined });
  for (const text of newsOf(made.markets).replaced) {
    archive.log.warn(text, { exchange: exchange.id });
  }
  return settle(archive, exchange, made);
}

/** The answer of an exchange about its markets. */
interface MarketsAnswer {
  readonly exchange: string;
  /** All markets. */
  readonly list: MarketList;
  /** Kinds of markets that could not be loaded. */
  readonly failures: readonly KindFailure[];
  /** The most traded symbols for `SYMBOLS=top:N`; else empty. */
  readonly top: readonly string[];
  /** When the answer arrived. Milliseconds. */
  readonly atMs: number;
}

/** Why one kind of markets is not on a list. */
interface KindFailure {
  readonly kind: Pick<MarketKind, "has">;
  readonly error: unknown;
}

/** The other inputs that decide which series of an exchange are archived. */
export interface KnownMarkets {
  readonly config: Config;
  /** The series of the exchange that are in the ledger. */
  readonly checkpoints: readonly Pick<
    Checkpoint,
    "series" | "chosen" | "endedWhy" | "lastMs"
  >[];
  /** The newest listing of every symbol of the exchange. */
  readonly listings: readonly Listing[];
  /** The markets that the new ones replace. */
  readonly previous: Markets | undefined;
}

/** Markets, and the changes that are not in the ledger yet. */
export interface MadeMarkets {
  readonly markets: Markets;
  /** All wanted series, also those that have ended. */
  readonly chosen: readonly Series[];
  readonly news: ListingNews;
}

/**
 * Makes the markets of an exchange from one answer. Sends no request and writes nothing.
 *
 * @throws FetchError when the list is broken, see {@linkcode judgeListings}.
 */
export function makeMarkets(
  { exchange, list, failures, top, atMs }: MarketsAnswer,
  { config, checkpoints, listings, previous }: KnownMarkets,
): MadeMarkets {
  const wanted = archivedTimeframes(config);
  const timeframes = wanted.filter((text) => !opensElsewhere(exchange, text));
  const named = config.symbols.kind === "list" ? config.symbols.symbols : undefined;
  const unloaded = unloadedSymbols(named ?? [], { list, failures });
  const unknown = new Set(unloaded.map(({ symbol }) => symbol));
  const { symbols, unlisted } = named !== undefined
    ? listedSymbols(named.filter((symbol) => !unknown.has(symbol)), {
      list,
      known: new Set(checkpoints.map(({ series }) => series.symbol)),
      isAlone: config.exchanges.length === 1,
    })
    : { symbols: topSymbols(top, checkpoints), unlisted: [] };
  const chosen = symbols.flatMap((symbol) =>
    timeframes.map((text) => ({ exchange, symbol, timeframe: parseTimeframe(text) }))
  );
  const news = judgeListings(list, {
    exchange,
    symbols: [...new Set(chosen.map(({ symbol }) => symbol))],
    listings,
    checkpoints,
    absentSinceMs: previous?.absentSinceMs ?? new Map(),
    nowMs: atMs,
  });
  const endOf = endsAfter(news, checkpoints);
  const series = chosen.filter((one) => [undefined, "suspended"].includes(endOf(one)));
  const suspended = series.filter((one) => endOf(one) === "suspended");
  return {
    markets: {
      exchange,
      loadedAtMs: atMs,
      list,
      series,
      suspended: new Set(suspended.map(({ symbol }) => symbol)),
      unlisted,
      isPartial: failures.length > 0,
      unloaded,
      leftOut: wanted.filter((text) => !timeframes.includes(text)),
      renamed: [...news.renamed].filter(([, successor]) => named?.includes(successor) === false),
      replaced: news.changes.filter((change) => change.kind === "replaced"),
      replacedMs: news.replacedMs,
      absentSinceMs: news.absentSinceMs,
    },
    chosen,
    news,
  };
}

/** The configured symbols that are not on the list because their kind of market could not be loaded. */
function unloadedSymbols(
  wanted: readonly string[],
  { list, failures }: Pick<MarketsAnswer, "list" | "failures">,
): readonly UnloadedSymbol[] {
  return wanted.filter((symbol) => !list.has(symbol)).flatMap((symbol) => {
    const failure = failures.find(({ kind }) => kind.has(symbol));
    return failure === undefined ? [] : [{ symbol, error: failure.error }];
  });
}

/**
 * The configured symbols that this exchange lists. A symbol that is already in the ledger is kept even if it is not
 * listed any more, so that its end is detected. With a single exchange all configured symbols are kept, so that a
 * mistyped one shows up as a failing series.
 */
function listedSymbols(
  wanted: readonly string[],
  { list, known, isAlone }: {
    readonly list: MarketList;
    readonly known: ReadonlySet<string>;
    /** Whether no other exchange is archived. */
    readonly isAlone: boolean;
  },
): { readonly symbols: readonly string[]; readonly unlisted: readonly UnlistedSymbol[] } {
  const strangers = wanted.filter((symbol) => !list.has(symbol) && !known.has(symbol));
  const all = strangers.length === 0 ? [] : [...list.keys()].filter(isSymbol);
  return {
    symbols: isAlone ? wanted : wanted.filter((symbol) => !strangers.includes(symbol)),
    unlisted: strangers.map((symbol) => ({ symbol, nearest: nearest(symbol, all) })),
  };
}

/** The most traded symbols, and those that were chosen for that reason before: they are never dropped. */
function topSymbols(
  top: readonly string[],
  checkpoints: KnownMarkets["checkpoints"],
): readonly string[] {
  const kept = checkpoints.filter(({ chosen }) => chosen === "top");
  return [...new Set([...top, ...kept.map(({ series }) => series.symbol)])];
}

/** Why a series has ended, with the changes in `news` applied; undefined while the series goes on. */
function endsAfter(
  { changes }: ListingNews,
  checkpoints: KnownMarkets["checkpoints"],
): (series: Series) => EndedWhy | undefined {
  const changed = new Map(changes.map((change) => [change.symbol, change]));
  const ended = new Map(checkpoints.map(({ series, endedWhy }) => [seriesName(series), endedWhy]));
  return (series) => {
    const change = changed.get(series.symbol);
    if (change === undefined || change.kind === "identified") return ended.get(seriesName(series));
    return change.kind === "ends" ? change.why : undefined;
  };
}

async function askMarkets(
  { config, clock }: Archive,
  exchange: ArchivedExchange,
  { previous, signal }: LoadOptions & { readonly previous: Markets | undefined },
): Promise<MarketsAnswer> {
  const options = { priority: "live", signal } as const;
  const failures: KindFailure[] = [];
  const list = await exchange.loadMarkets({
    ...options,
    previous: previous?.list,
    mayLack: (kind, error) => {
      if (!isOfOneKind(error)) return false;
      failures.push({ kind, error });
      return true;
    },
  });
  if (list.size === 0 && failures.length > 0) throw failures[0]?.error;
  const { symbols } = config;
  const top = symbols.kind === "top"
    ? await exchange.topSymbols(list, { ...options, count: symbols.count, quote: symbols.quote })
    : [];
  return { exchange: exchange.id, list, failures, top, atMs: clock.now() };
}

/** Whether an error of loading one kind of markets says nothing of the others. */
function isOfOneKind(error: unknown): boolean {
  return error instanceof DeadlineError ||
    (error instanceof FetchError && !["cancelled", "rate_limited"].includes(error.kind));
}

async function readKnown(
  { config, database }: Archive,
  exchange: string,
): Promise<Omit<KnownMarkets, "previous">> {
  // A configured series that no exchange ever answered for may be a mistyped one: being registered proves nothing.
  const checkpoints = (await readCheckpoints(database)).filter((
    { series, chosen, covered, endedWhy },
  ) =>
    series.exchange === exchange &&
    (chosen === "top" || covered.length > 0 || endedWhy !== undefined)
  );
  return { config, checkpoints, listings: await readListings(database, exchange) };
}

/** Logs what was found, and drops the thousands of markets that are not archived to free their memory. */
function settle(
  { config, failures, log }: Archive,
  { client }: ArchivedExchange,
  { markets, chosen, news }: MadeMarkets,
): Markets {
  const { exchange, unlisted, unloaded, leftOut, series, list } = markets;
  for (const { symbol, nearest } of unlisted) {
    log.warn("symbol not listed", { exchange, symbol, nearest: nearest.join(", ") });
  }
  for (const { symbol, error } of unloaded) {
    if (!failures.isNews(`${exchange} ${symbol}`, String(error))) continue;
    log.warn("the markets of a symbol's kind were not loaded", { exchange, symbol, error });
  }
  const symbols = new Set(chosen.map(({ symbol }) => symbol));
  if (config.symbols.kind === "top" && symbols.size === 0) {
    log.warn("no market qualifies for SYMBOLS=top", { exchange });
  }
  if (leftOut.length > 0) {
    log.warn("timeframes are left out: this exchange opens their candles at other times than UTC", {
      exchange,
      timeframes: leftOut.join(", "),
    });
  }
  log.info("markets loaded", { exchange, symbols: symbols.size, series: series.length });
  return { ...markets, list: client.keepMarkets(list, news.ids) };
}
