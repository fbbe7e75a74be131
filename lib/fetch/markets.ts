/** Chooses the series of an exchange, from its markets, the configuration and the ledger. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { MarketList } from "../exchange/market_list.ts";
import { archivedTimeframes, settingsOf } from "../config/exchange_settings.ts";
import { hasRule, ruleText } from "../config/symbols.ts";
import { marketClassOf } from "../market/market_class.ts";
import type { Series } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { type EndedWhy, registerSeries } from "../store/ledger.ts";
import { readHolders } from "../store/node_exchanges.ts";
import { noteWanted } from "../store/series_bounds.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { wantedOf } from "../archive/desire.ts";
import { leftOut, leftOutText, whyLeftOut } from "../archive/left_out.ts";
import { isCancelled, reportExchangeFailure } from "../archive/failure.ts";
import { type Markets, newsOf } from "../archive/markets_in_force.ts";
import { noteMissing } from "../store/listing_facts.ts";
import {
  isBan,
  isOfOneKind,
  type KindFailure,
  listedSymbols,
  oddEntries,
  unloadedSymbols,
  wantedSymbols,
} from "./archived_symbols.ts";
import { type KnownMarkets, readKnown } from "./known_markets.ts";
import { judgeListings, type ListingNews } from "./listing_change.ts";
import { enterListings, noteFurther } from "./listing_watch.ts";
import { NOTHING_PROVED, proveMarkets } from "./market_proof.ts";
import { askTwice } from "./second_look.ts";
import { wantSymbols } from "./wanted_symbols.ts";
import { askTradedMost } from "./traded_most.ts";
import { askedAfter, endsAfter, lateSymbols } from "./series_end.ts";

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
  const markets = await exchange.markets.refresh({
    load: async (previous, { signal }) => {
      // Without the database the markets are of no use, so check it before requesting them.
      await archive.database.reach();
      const ask = async (): Promise<MadeMarkets> => {
        const answer = await askMarkets(archive, exchange, { previous, signal });
        const known = await readKnown(archive, exchange.id);
        return await makeProved(archive, exchange, { answer, known, signal });
      };
      const made = await askTwice(archive, ask, { signal });
      const { chosen, news, markets: { loadedAtMs: nowMs } } = made;
      await noteMissing(archive.database, exchange.id, {
        symbols: news.unlisted,
        judged: chosen.map(({ symbol }) => symbol),
        nowMs,
      });
      assertListed(made);
      const byRule = Map.groupBy(chosen, ({ symbol }) => made.byRule.has(symbol));
      await registerSeries(archive.database, byRule.get(true) ?? [], "top");
      await registerSeries(archive.database, byRule.get(false) ?? [], "list");
      const settling = (): number => exchange.settleMs;
      const wanted = wantedOf(chosen, archive.config, { nowMs, settling });
      const isOthers = await othersHold(archive);
      await noteWanted(archive.database, wanted.filter(({ series }) => !isOthers(series)));
      const entered = await enterListings(archive, exchange.id, { news, series: chosen, nowMs });
      const [failed] = made.markets.unloaded;
      if (failed !== undefined) await reportExchangeFailure(archive, exchange.id, failed.error);
      const markets = await settle(archive, exchange, made);
      noteFurther(archive, markets, exchange.markets.value);
      // What another node holds is not asked for, so nothing can be done before that is known.
      await wantSymbols(archive, exchange, { markets, lacked: made.news.lacked, signal });
      return { ...markets, replacedMs: new Map([...markets.replacedMs, ...entered]) };
    },
    onFailure: async (error) => {
      if (!isCancelled(error, signal)) await reportExchangeFailure(archive, exchange.id, error);
    },
    signal,
  });
  exchange.work.admit(markets.series);
  return markets;
}

/**
 * Loads markets for the caller only, also where another node asks the exchange. Writes nothing and does not change the
 * markets in force: a plan must not register series, because with `SYMBOLS=top:N` a registered series is never dropped.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError, StoreError
 */
export async function readMarkets(
  archive: Archive,
  exchange: ArchivedExchange,
  { signal }: LoadOptions = {},
): Promise<Markets> {
  await archive.database.reach();
  const answer = await askMarkets(archive, exchange, { isBeyondShare: true, signal });
  const known = await readKnown(archive, exchange.id);
  const made = await makeProved(archive, exchange, { answer, known, signal });
  assertListed(made);
  for (const text of newsOf(made.markets).replaced) {
    archive.log.warn(text, { exchange: exchange.id });
  }
  return await settle(archive, exchange, made);
}

/** Makes markets, and finds out by candles which of those with new ids are the archived ones. */
async function makeProved(
  archive: Archive,
  exchange: ArchivedExchange,
  { answer, known, signal }: LoadOptions & {
    readonly answer: MarketsAnswer;
    readonly known: KnownMarkets;
  },
): Promise<MadeMarkets> {
  const made = makeMarkets(answer, known);
  if (made.markets.replaced.length === 0) return made;
  const proof = await proveMarkets(archive, exchange, { markets: made.markets, signal });
  return makeMarkets(answer, { ...known, proof });
}

/** @throws FetchError when none of several archived symbols is listed, and that has not lasted yet. */
function assertListed({ news, markets: { exchange } }: MadeMarkets): void {
  if (!news.isNoneListed) return;
  const count = news.absentSinceMs.size;
  throw new FetchError(
    "transient",
    `Cannot use the markets of ${exchange}: none of ${count} archived symbols is listed`,
  );
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
  /** Its `Date` header, in case that our clock was set back. Milliseconds; undefined if it has none. */
  readonly dateMs: number | undefined;
}

/** Markets, and the changes that are not in the ledger yet. */
export interface MadeMarkets {
  readonly markets: Markets;
  /** All wanted series, also those that have ended. */
  readonly chosen: readonly Series[];
  /** Those of the symbols that a rule has chosen. */
  readonly byRule: ReadonlySet<string>;
  readonly news: ListingNews;
}

/** Makes the markets of an exchange from one answer. Sends no request and writes nothing. */
export function makeMarkets(
  { exchange, list, failures, top, atMs, dateMs = -Infinity }: MarketsAnswer,
  { config, checkpoints, listings, listedElsewhere, proof = NOTHING_PROVED }: KnownMarkets,
): MadeMarkets {
  const nowMs = Math.max(atMs, dateMs);
  const settings = settingsOf(config, exchange);
  const wanted = archivedTimeframes(settings);
  const { named, byRule } = wantedSymbols(settings.symbols, { list, top, checkpoints });
  const all = [...new Set([...named, ...byRule])];
  const unloaded = [...unloadedSymbols(all, { list, failures, listings }), ...proof.undecided];
  const unknown = new Set(unloaded.map(({ symbol }) => symbol));
  const loaded = all.filter((symbol) => !unknown.has(symbol));
  const { symbols, unlisted } = listedSymbols(loaded, {
    list,
    known: new Set([...byRule, ...checkpoints.map(({ series }) => series.symbol)]),
    isAlone: config.exchanges.length === 1,
    nowMs,
  });
  const chosen = symbols.flatMap((symbol) =>
    wanted.filter((text) => whyLeftOut(exchange, marketClassOf(symbol), text) === undefined)
      .map((text) => ({ exchange, symbol, timeframe: parseTimeframe(text) }))
  );
  const news = judgeListings(list, {
    symbols: [...new Set(chosen.map(({ symbol }) => symbol))],
    listings,
    respelled: proof.respelled,
    late: lateSymbols(chosen, checkpoints),
    listedElsewhere,
    nowMs,
  });
  const endOf = endsAfter(news, checkpoints);
  const gone = new Set(news.gone.map(({ symbol }) => symbol));
  const isAsked = askedAfter(endOf, { gone, checkpoints });
  const ofEnd = (why: EndedWhy): ReadonlySet<string> =>
    new Set(chosen.filter((one) => endOf(one) === why).map(({ symbol }) => symbol));
  return {
    markets: {
      exchange,
      loadedAtMs: atMs,
      list,
      series: chosen.filter((one) => isAsked(one)),
      suspended: ofEnd("suspended"),
      expired: ofEnd("expired"),
      expiresMs: news.expiresMs,
      gone,
      unlisted,
      isPartial: unloaded.length > 0 || failures.some(({ isOfFew }) => isOfFew !== true),
      unloaded,
      leftOut: leftOut(exchange, { symbols: all, timeframes: wanted }),
      renamed: [...news.renamed].filter(([symbol, successor]) =>
        named.includes(symbol) && !all.includes(successor)
      ),
      replaced: news.changes.filter((change) => change.kind === "replaced"),
      replacedMs: news.replacedMs,
      absentSinceMs: news.absentSinceMs,
      elsewhere: news.elsewhere,
    },
    chosen,
    byRule,
    news,
  };
}

interface AskedMarkets extends LoadOptions {
  readonly previous?: Markets | undefined;
  readonly isBeyondShare?: boolean | undefined;
}

async function askMarkets(
  archive: Archive,
  exchange: ArchivedExchange,
  { previous, isBeyondShare, signal }: AskedMarkets,
): Promise<MarketsAnswer> {
  const { clock } = archive;
  const failures: KindFailure[] = [];
  let dateMs: number | undefined;
  let isAnyLoaded = false;
  const list = await exchange.loadMarkets({
    priority: "live",
    isBeyondShare,
    signal,
    onLoaded: (kind, call) => {
      dateMs = call.dateMs;
      isAnyLoaded = true;
      if (call.oddEntries > 0) failures.push(oddEntries(exchange.id, kind, call.oddEntries));
    },
    previous: previous?.list,
    mayLack: (kind, error) => {
      if (!isOfOneKind(error)) return false;
      failures.push({ kind, error });
      return true;
    },
  });
  const isBanned = !isAnyLoaded && failures.some(({ error }) => isBan(error));
  if (isBanned || (list.size === 0 && failures.length > 0)) throw failures[0]?.error;
  const { top, failures: untold } = await askTradedMost(archive, exchange, {
    list,
    isBeyondShare,
    signal,
  });
  const all = [...failures, ...untold];
  return { exchange: exchange.id, list, failures: all, top, atMs: clock.now(), dateMs };
}

/** Which series other nodes ask for: what is wanted of them is theirs to say, and their settings may be others. */
async function othersHold(
  { database, leases }: Pick<Archive, "database" | "leases">,
): Promise<(series: Series) => boolean> {
  if (leases.node === undefined) return () => false;
  const holders = await readHolders(database);
  return ({ exchange, symbol }) =>
    !leases.holds(exchange, symbol) && holders.has(`${exchange} ${symbol}`);
}

/** Logs what was found, and drops the thousands of markets that are not archived to free their memory. */
async function settle(
  { config, failures, log }: Archive,
  { client }: ArchivedExchange,
  { markets, chosen, news }: MadeMarkets,
): Promise<Markets> {
  const { exchange, unlisted, unloaded, series, list } = markets;
  for (const { symbol, nearest } of unlisted) {
    log.warn("symbol not listed", { exchange, symbol, nearest: nearest.join(", ") });
  }
  for (const { symbol, error } of unloaded) {
    if (!failures.isNews(`${exchange} ${symbol}`, String(error))) continue;
    log.warn("the markets of a symbol's kind were not loaded", { exchange, symbol, error });
  }
  const symbols = new Set(chosen.map(({ symbol }) => symbol));
  const wanted = settingsOf(config, exchange).symbols;
  if (hasRule(wanted) && symbols.size === 0) {
    log.warn(`no market qualifies for SYMBOLS=${ruleText(wanted)}`, { exchange });
  }
  for (const one of markets.leftOut) {
    log.warn("a timeframe is left out", { exchange, why: leftOutText(exchange, one) });
  }
  log.info("markets loaded", { exchange, symbols: symbols.size, series: series.length });
  const ids = new Map(news.markets.map(({ symbol, marketId }) => [symbol, marketId]));
  return { ...markets, list: await client.keepMarkets(list, ids, news.gone) };
}
