/** Proves by candles whether a market with a new id is the one that was archived: exchanges and CCXT respell ids. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { candidates } from "../exchange/market_list.ts";
import { MalformedPageError } from "../market/answer.ts";
import type { Candle } from "../market/candle.ts";
import type { Series } from "../market/series.ts";
import { addCandles, nominalMs } from "../market/timeframe.ts";
import { BreakerOpenError } from "../policy/breaker.ts";
import { DeadlineError } from "../policy/deadline.ts";
import { readFinalCandles } from "../store/final_candles.ts";
import { readCheckpoints } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isCancelled } from "../archive/failure.ts";
import type { Markets, UnloadedSymbol } from "../archive/markets_in_force.ts";

/** What was found out about symbols whose markets have new ids. */
export interface MarketProof {
  /** The new ids of markets that are the archived ones, by symbol. */
  readonly respelled: ReadonlyMap<string, string>;
  /** Symbols whose markets did not answer, and why: nothing is to be recorded of them. */
  readonly undecided: readonly UnloadedSymbol[];
}

export const NOTHING_PROVED: MarketProof = { respelled: new Map(), undecided: [] };

/** The newest stored candles that are compared, all in one request. */
const CANDLES_COMPARED = 50;

/** Fewer prove nothing. */
const CANDLES_EQUAL_MIN = 10;

/** A few may have been revised since. Of another market hardly any are equal. */
const CANDLES_EQUAL_SHARE = 0.8;

/** Coarser candles cover more time per page, so that an exchange is more likely to have them still. */
const COARSEST_MS = 24 * 60 * 60_000;

/**
 * Asks each market that has taken over a symbol, under a new id, for candles that are stored of the archived one. The same
 * values in nearly all of them are only given by the same market. In doubt it is another one. If nothing was ever fetched of the
 * symbol, nothing can be mixed, so it goes on.
 *
 * @throws StoreError, and FetchError `cancelled`.
 */
export async function proveMarkets(
  archive: Archive,
  exchange: ArchivedExchange,
  { markets, signal }: { readonly markets: Markets; readonly signal: AbortSignal | undefined },
): Promise<MarketProof> {
  const respelled = new Map<string, string>();
  const undecided: UnloadedSymbol[] = [];
  for (const { symbol, formerId, marketId, successor } of markets.replaced) {
    const listed = markets.list.get(symbol);
    // The archived market is listed elsewhere, or there are several new ones, of which a request names none.
    const isOther = successor !== undefined || marketId === formerId || listed === undefined ||
      candidates(listed).length > 1;
    if (isOther || marketId === undefined) continue;
    try {
      const series = await comparedSeries(archive, exchange.id, symbol);
      const isSame = series === undefined ||
        (series !== "too_few" && await gives(exchange, { ...series, markets, signal }));
      if (!isSame) continue;
      respelled.set(symbol, marketId);
      archive.log.info("a market has a new id and the same candles: its series continue", {
        exchange: exchange.id,
        symbol,
        formerId,
        marketId,
      });
    } catch (error) {
      if (isCancelled(error, signal) || !isFailure(error)) throw error;
      undecided.push({ symbol, error });
    }
  }
  return { respelled, undecided };
}

function isFailure(error: unknown): boolean {
  return error instanceof FetchError || error instanceof DeadlineError ||
    error instanceof BreakerOpenError;
}

interface Compared {
  readonly series: Series;
  readonly candles: readonly Candle[];
}

/** The coarsest series of a symbol with enough final candles; undefined if nothing was ever fetched of the symbol. */
async function comparedSeries(
  { database }: Archive,
  exchange: string,
  symbol: string,
): Promise<Compared | "too_few" | undefined> {
  const known = (await readCheckpoints(database)).filter(({ series, covered, candles }) =>
    series.exchange === exchange && series.symbol === symbol && (covered.length > 0 || candles > 0)
  );
  if (known.length === 0) return undefined;
  const coarsestFirst = known.map(({ series }) => series)
    .filter(({ timeframe }) => nominalMs(timeframe) <= COARSEST_MS)
    .sort((a, b) => nominalMs(b.timeframe) - nominalMs(a.timeframe));
  for (const series of coarsestFirst) {
    const candles = await readFinalCandles(database, series, CANDLES_COMPARED);
    if (candles.length >= CANDLES_EQUAL_MIN) return { series, candles };
  }
  return "too_few";
}

/** Whether the market that has the symbol now gives these candles, each with the same values. */
async function gives(
  exchange: ArchivedExchange,
  { series, candles, markets, signal }: Compared & {
    readonly markets: Markets;
    readonly signal: AbortSignal | undefined;
  },
): Promise<boolean> {
  const [oldest, newest] = [candles[0]!, candles.at(-1)!];
  const untilMs = addCandles(series.timeframe, newest.openTimeMs, 1);
  const window = { sinceMs: oldest.openTimeMs, untilMs };
  try {
    const options = { priority: "live", markets, isBeyondShare: true, signal } as const;
    const given = new Map(
      (await exchange.askPage(series, window, options)).candles.map((candle) => [
        candle.openTimeMs,
        candle,
      ]),
    );
    const equal = candles.filter((candle) => isEqual(candle, given.get(candle.openTimeMs))).length;
    return equal >= Math.max(CANDLES_EQUAL_MIN, CANDLES_EQUAL_SHARE * candles.length);
  } catch (error) {
    if (error instanceof MalformedPageError) return false;
    // The market itself is refused, or has nothing of that time.
    if (error instanceof FetchError && ["permanent", "retention"].includes(error.kind)) {
      return false;
    }
    throw error;
  }
}

function isEqual(stored: Candle, given: Candle | undefined): boolean {
  return given !== undefined && (["open", "high", "low", "close", "volume"] as const).every(
    (name) => Number(stored[name]) === Number(given[name]),
  );
}
