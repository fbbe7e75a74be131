/**
 * Asks for candles of dated futures, also when they have expired and are listed no more: an exchange may give them for
 * years, for a while, or not at all. What it does not give is explained then, and not owed for ever.
 * @module
 */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { PageAnswer } from "../archive/page_judge.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { endReach, readLastMs } from "../store/expired_reach.ts";
import { NOTHING, type PageOutcome } from "./page_outcome.ts";

type AskOptions = Parameters<ArchivedExchange["askPage"]>[2];
type Ask = AskOptions & { readonly window: Window };

/** So soon after the expiry an exchange may only be settling it. */
const SETTLED_AFTER_MS = 10 * 60_000;

/** The exchange has proved to give nothing more of a future that has expired, and the ledger says so. */
export class Gone extends Error {
  override readonly name = "Gone";
  /** What its page comes to. */
  readonly outcome: PageOutcome;

  constructor(untilMs: number, cause: FetchError) {
    super(cause.message, { cause });
    this.outcome = { ...NOTHING, reachFromMs: untilMs, isReachProved: true };
  }
}

/**
 * Requests one window. Of a future that is gone an answer without candles counts only if the newest stored one still comes.
 *
 * @throws Gone when the exchange has refused it twice; else as `askPage` does.
 */
export async function askMarket(
  archive: Archive,
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: Ask,
): Promise<PageAnswer> {
  const markets = options.markets ?? exchange.markets.value;
  if (markets?.gone.has(series.symbol) !== true) {
    return await exchange.askPage(series, window, options);
  }
  try {
    const answer = await exchange.askPage(series, window, options);
    if (!isEmpty(answer) || await isStillGiven(archive, exchange, series, options)) {
      exchange.expired.forget(series);
      return answer;
    }
    throw new FetchError(
      "permanent",
      `Cannot fetch candles of ${
        seriesName(series)
      }: it has expired, and the exchange gives none any more`,
      { cause: "an answer without the newest candle that is stored" },
    );
  } catch (error) {
    if (!isRefusal(error)) throw error;
    const nowMs = archive.clock.now();
    const isProved = exchange.expired.note(series, nowMs);
    const expiredMs = markets.expiresMs.get(series.symbol) ?? Infinity;
    if (!isProved || nowMs - expiredMs < SETTLED_AFTER_MS) throw error;
    if (!await endReach(archive.database, series)) throw error;
    exchange.markets.outdate(markets);
    archive.log.info(
      "the exchange gives nothing more of a future that has expired: what is missing is marked as retention",
      { series: seriesName(series), error },
    );
    throw new Gone(window.untilMs, error);
  }
}

function isEmpty({ candles, rejected }: PageAnswer): boolean {
  return candles.length + rejected.length === 0;
}

async function isStillGiven(
  { database }: Archive,
  exchange: ArchivedExchange,
  series: Series,
  options: AskOptions,
): Promise<boolean> {
  const sinceMs = await readLastMs(database, series);
  if (sinceMs === undefined) return false;
  const window = { sinceMs, untilMs: addCandles(series.timeframe, sinceMs, 1) };
  return !isEmpty(await exchange.askPage(series, window, options));
}

/** Whether the exchange says that it does not know of the market, or says something that no trouble explains. */
function isRefusal(error: unknown): error is FetchError {
  return error instanceof FetchError && (error.kind === "permanent" || error.isUnknown);
}
