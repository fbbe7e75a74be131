/** Which series of an exchange are archived: its markets, loaded daily, meet what the user asked for. @module */
import { opensElsewhere } from "../exchange/limits.ts";
import { type Series, seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { nearest } from "../text/nearest.ts";
import { readCheckpoints, registerSeries } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange, AskOptions } from "../archive/archived_exchange.ts";
import { archivedTimeframes } from "../archive/desire.ts";
import { isCancelled, reportExchangeFailure } from "../archive/failure.ts";
import { watchListings } from "./listing_watch.ts";

/** Symbols come and go: markets older than this are loaded again. */
const MARKETS_AGE_MS_MAX = 24 * 60 * 60_000;

/** Where a symbol was refused or is missing, markets older than this are loaded again. */
const SUSPECT_AGE_MS_MAX = 10 * 60_000;

const preparing = new WeakMap<ArchivedExchange, Promise<void>>();

interface PrepareOptions extends AskOptions {
  /**
   * Whether to enter the series into the ledger. A plan does not: series that are chosen once are never dropped.
   *
   * @default true
   */
  readonly isKept?: boolean | undefined;
}

/**
 * Makes sure that an exchange's markets are fresh and its series chosen and in the ledger. Called before every
 * run; whoever comes while it is under way waits for the same outcome.
 *
 * @throws FetchError, DeadlineError, BreakerOpenError, StoreError when that did not work; the next call tries
 * again.
 */
export async function prepareExchange(
  archive: Archive,
  exchange: ArchivedExchange,
  options: PrepareOptions,
): Promise<void> {
  if (isFresh(exchange, archive.clock.now())) return;
  const underWay = preparing.get(exchange);
  if (underWay !== undefined) return await underWay;
  const run = prepare(archive, exchange, options).finally(() => preparing.delete(exchange));
  preparing.set(exchange, run);
  await run;
}

/** Markets that are only due to be loaded again still serve when that fails. */
async function prepare(
  archive: Archive,
  exchange: ArchivedExchange,
  options: PrepareOptions,
): Promise<void> {
  try {
    // Rather than to load the markets again and again for a ledger that is away.
    await archive.database.reach();
    await chooseSeries(archive, exchange, options);
    exchange.reloadFailedAtMs = undefined;
  } catch (error) {
    if (exchange.marketsLoadedAtMs === undefined || isCancelled(error, options.signal)) throw error;
    exchange.reloadFailedAtMs = archive.clock.now();
    await reportExchangeFailure(archive, exchange.id, error);
  }
}

function isFresh(exchange: ArchivedExchange, nowMs: number): boolean {
  const { marketsLoadedAtMs, reloadFailedAtMs = -Infinity, absentSinceMs, hasSuspects } = exchange;
  if (marketsLoadedAtMs === undefined) return false;
  if (nowMs - reloadFailedAtMs < SUSPECT_AGE_MS_MAX) return true;
  const isDoubtful = hasSuspects || absentSinceMs.size > 0;
  return nowMs - marketsLoadedAtMs < (isDoubtful ? SUSPECT_AGE_MS_MAX : MARKETS_AGE_MS_MAX);
}

async function chooseSeries(
  archive: Archive,
  exchange: ArchivedExchange,
  options: PrepareOptions,
): Promise<void> {
  const { config, database, clock, log } = archive;
  const { client } = exchange;
  await exchange.loadMarkets(options);
  const known = (await readCheckpoints(database)).filter(({ series }) =>
    series.exchange === exchange.id
  );
  let symbols: readonly string[];
  if (config.symbols.kind === "list") {
    symbols = listedSymbols(archive, exchange, known.map(({ series }) => series.symbol));
  } else {
    const top = await exchange.topSymbols(config.symbols, options);
    const kept = known.filter(({ chosen }) => chosen === "top").map(({ series }) => series.symbol);
    symbols = [...new Set([...top, ...kept])];
    if (symbols.length === 0) {
      log.warn("no market qualifies for SYMBOLS=top", { exchange: exchange.id });
    }
  }
  const timeframes = archivedTimeframes(config).filter((text) =>
    !opensElsewhere(exchange.id, text)
  );
  if (timeframes.length < archivedTimeframes(config).length) {
    log.warn("left out: candles of this exchange that open at other times than UTC says", {
      exchange: exchange.id,
      timeframes: archivedTimeframes(config).filter((text) => !timeframes.includes(text)).join(
        ", ",
      ),
    });
  }
  const chosen = seriesOf(exchange.id, symbols, timeframes);
  if (options.isKept ?? true) {
    await registerSeries(database, chosen, config.symbols.kind);
    await watchListings(archive, exchange, chosen);
  }
  const ended = new Map(
    (await readCheckpoints(database)).map(({ series, endedWhy }) => [seriesName(series), endedWhy]),
  );
  const series = chosen.filter((one) => {
    const why = ended.get(seriesName(one));
    return why === undefined || why === "suspended";
  });
  exchange.suspended = new Set(
    series.filter((one) => ended.get(seriesName(one)) === "suspended").map(({ symbol }) => symbol),
  );
  client.keepMarkets(symbols);
  exchange.series = series;
  exchange.hasSuspects = false;
  exchange.marketsLoadedAtMs = clock.now();
  log.info("markets loaded", {
    exchange: exchange.id,
    symbols: symbols.length,
    series: series.length,
  });
}

/**
 * The configured symbols that this exchange lists. One that is in the ledger already stays, so that its end is
 * seen; one that no exchange lists stays too, so that the mistake is.
 */
function listedSymbols(
  archive: Archive,
  exchange: ArchivedExchange,
  known: readonly string[],
): readonly string[] {
  const { config, exchanges, log } = archive;
  if (config.symbols.kind !== "list") return [];
  const { client } = exchange;
  const { symbols } = config.symbols;
  exchange.unlisted = symbols.filter((symbol) =>
    !client.hasMarket(symbol) && !known.includes(symbol)
  ).map((symbol) => ({ symbol, nearest: nearest(symbol, client.symbols) }));
  for (const { symbol, nearest } of exchange.unlisted) {
    log.warn("symbol not listed", { exchange: exchange.id, symbol, nearest: nearest.join(", ") });
  }
  return symbols.filter((symbol) =>
    client.hasMarket(symbol) || exchanges.length === 1 || known.includes(symbol)
  );
}

function seriesOf(
  exchange: string,
  symbols: readonly string[],
  timeframes: readonly string[],
): readonly Series[] {
  return symbols.flatMap((symbol) =>
    timeframes.map((text) => ({ exchange, symbol, timeframe: parseTimeframe(text) }))
  );
}
