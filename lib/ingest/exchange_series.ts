/** Which series of an exchange are archived: its markets, loaded daily, meet what the user asked for. @module */
import type { Series } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { nearest } from "../nearest.ts";
import { readCheckpoints, registerSeries } from "../store/ledger.ts";
import type { Archive } from "./archive.ts";
import type { ArchivedExchange, AskOptions } from "./archived_exchange.ts";
import { archivedTimeframes } from "./desire.ts";

/** Symbols come and go: markets older than this are loaded again. */
const MARKETS_AGE_MS_MAX = 24 * 60 * 60_000;

const preparing = new WeakMap<ArchivedExchange, Promise<void>>();

export interface PrepareOptions extends AskOptions {
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
  const { marketsLoadedAtMs } = exchange;
  const isFresh = marketsLoadedAtMs !== undefined &&
    archive.clock.now() - marketsLoadedAtMs < MARKETS_AGE_MS_MAX;
  if (isFresh) return;
  const underWay = preparing.get(exchange);
  if (underWay !== undefined) return await underWay;
  const run = chooseSeries(archive, exchange, options).finally(() => preparing.delete(exchange));
  preparing.set(exchange, run);
  await run;
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
  const series = seriesOf(exchange.id, symbols, archivedTimeframes(config));
  if (options.isKept ?? true) await registerSeries(database, series, config.symbols.kind);
  client.keepMarkets(symbols);
  exchange.series = series;
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
  return config.symbols.symbols.filter((symbol) => {
    if (client.hasMarket(symbol)) return true;
    log.warn("symbol not listed", {
      exchange: exchange.id,
      symbol,
      nearest: nearest(symbol, client.symbols).join(", "),
    });
    return exchanges.length === 1 || known.includes(symbol);
  });
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
