/** Checks one exchange with real requests: markets, symbols, newest candles; and reports its capabilities. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { hasRule, ruleText } from "../config/symbols.ts";
import { sourceAddress } from "../config/egress_setting.ts";
import { hasProxy } from "../config/exchange_options.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import type { RejectedCandle } from "../market/candle.ts";
import { type Capacity, capacityProblem, isOverdrawn } from "../market/capacity.ts";
import { rejectedRows } from "../market/kept_rejections.ts";
import { marketClassOf } from "../market/market_class.ts";
import { marketSymbol } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { addCandles, closedUntil } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { failureKind } from "../archive/failure_kind.ts";
import { pollCapacity } from "../fetch/poll_capacity.ts";
import { lostAmong } from "../fetch/lost_symbols.ts";
import { type Markets, newsOf, type UnlistedSymbol } from "../archive/markets_in_force.ts";
import { capabilityEntries, type CapabilityEntry } from "./capability_entries.ts";
import { type Check, counted, foreignCertificateFix, iso, withFix } from "./check.ts";
import { examineFiles } from "./files_checkup.ts";
import { examineStream } from "./stream_checkup.ts";
import { errorText, redact, shortText } from "../text/redact.ts";

/** The results for one exchange. */
export interface ExchangeCheckup {
  readonly exchange: string;
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** One per kind of market and configured timeframe. */
  readonly capabilities: readonly CapabilityEntry[];
}

/** Enough to see that a market is traded, and few enough for one page of any exchange. */
const CANDLES_ASKED = 5;

/** Longer messages are cut: an exchange may answer with a page of HTML. */
const MESSAGE_CHARACTERS_MAX = 300;

/** A row is shown up to here. */
const ROW_SHOWN_MAX = 80;

/** Most symbols named in one message. */
const SYMBOLS_NAMED_MAX = 5;

/** An exchange and its markets, read for this check-up, or why they could not be read. */
export type ReadExchange =
  | {
    readonly exchange: ArchivedExchange;
    readonly markets: Markets;
    readonly failure?: undefined;
  }
  | {
    readonly exchange: ArchivedExchange;
    readonly markets?: undefined;
    readonly failure: unknown;
  };

/** The results for one exchange, and what its answers say about our clock. */
interface Examined {
  readonly checkup: ExchangeCheckup;
  /** This machine's clock minus the `Date` of its answer. Milliseconds; undefined if no answer had a `Date`. */
  readonly clockAheadMs: number | undefined;
}

interface ExamineExchangeOptions {
  /** All exchanges: a symbol that one of them does not list may be listed by another. */
  readonly all: readonly ReadExchange[];
  readonly signal: AbortSignal | undefined;
}

/** Checks one exchange, and asks it for candles if its markets could be read. */
export async function examineExchange(
  archive: Archive,
  { exchange, markets, failure }: ReadExchange,
  { all, signal }: ExamineExchangeOptions,
): Promise<Examined> {
  let checks: readonly Check[];
  let clockAheadMs: number | undefined;
  if (markets === undefined) {
    checks = [failedCheck(archive, exchange, { check: "markets", error: failure })];
  } else {
    const candles = await examineCandles(archive, exchange, { markets, signal });
    clockAheadMs = candles.clockAheadMs;
    checks = [
      marketsCheck(archive, exchange, markets),
      symbolsCheck(archive, markets, all),
      ...newsOf(markets).leftOut.map((message) => ({ check: "settings", ok: false, message })),
      paceCheck(await pollCapacity(archive, exchange, markets)),
      ...candles.checks,
      ...await examineStream(archive, exchange.id, { markets, signal }),
      ...await examineFiles(archive, exchange, { markets, signal }),
    ];
  }
  const checkup = {
    exchange: exchange.id,
    ok: checks.every(({ ok }) => ok),
    checks,
    capabilities: capabilityEntries(exchange, settingsOf(archive.config, exchange.id)),
  };
  return { checkup, clockAheadMs };
}

function marketsCheck(archive: Archive, exchange: ArchivedExchange, markets: Markets): Check {
  const [unloaded] = markets.unloaded;
  if (unloaded === undefined) {
    const message = [`loaded at ${iso(markets.loadedAtMs)}`, ...newsOf(markets).replaced].join(
      "; ",
    );
    return { check: "markets", ok: true, message };
  }
  const { check, message } = failedCheck(archive, exchange, {
    check: "markets",
    error: unloaded.error,
  });
  const symbols = symbolNames(markets.unloaded.map(({ symbol }) => ({ symbol, nearest: [] })));
  return { check, ok: false, message: `not loaded for ${symbols}: ${message}` };
}

function paceCheck(capacity: Capacity): Check {
  const problem = capacityProblem(capacity);
  if (problem !== undefined) {
    const isOk = !isOverdrawn(capacity);
    return { check: "pace", ok: isOk, isHint: isOk, message: problem };
  }
  const { symbols, symbolsMax, secondsAMinute } = capacity;
  const fit = symbols === 0 ? "" : `; ${symbolsMax} symbols would fit`;
  const message = `polls take ${secondsAMinute.toFixed(1)} s of every minute${fit}`;
  return { check: "pace", ok: true, message };
}

function symbolsCheck(
  { config }: Archive,
  { exchange: id, series, unlisted, unloaded }: Markets,
  all: readonly ReadExchange[],
): Check {
  const check = "symbols";
  const { symbols } = settingsOf(config, id);
  if (hasRule(symbols) && unlisted.length === 0) {
    const chosen = [...new Set(series.map(({ symbol }) => symbol))];
    const rule = `SYMBOLS=${ruleText(symbols)}`;
    return chosen.length === 0
      ? { check, ok: false, message: `no market qualifies for ${rule}. Correct SYMBOLS` }
      : { check, ok: true, message: `${counted(chosen, "symbol")} for ${rule}` };
  }
  const wanted = symbols.names.length - unloaded.length;
  const found = `${wanted - unlisted.length} of ${wanted} listed`;
  if (unlisted.length === 0) return { check, ok: true, message: found };
  const lostOnes = lostAmong(config, all.map(({ markets }) => markets));
  const wrong = new Set(lostOnes.map(({ symbol }) => symbol));
  const lost = unlisted.filter(({ symbol }) => wrong.has(symbol));
  if (lost.length > 0) {
    return { check, ok: false, message: `${found}, not ${symbolNames(lost)}. Correct SYMBOLS` };
  }
  const names = symbolNames(unlisted.map(({ symbol }) => ({ symbol, nearest: [] })));
  return unlisted.length === wanted && unloaded.length === 0
    ? { check, ok: false, message: `none of ${names} is listed. Remove ${id} from EXCHANGES` }
    : { check, ok: true, message: `${found}, other exchanges may list ${names}` };
}

type CandleCheckup = Pick<Examined, "clockAheadMs"> & Pick<ExchangeCheckup, "checks">;

/** Fetches newest candles of each class of markets: one may be refused, or have other servers, where others answer. */
async function examineCandles(
  archive: Archive,
  exchange: ArchivedExchange,
  { markets, signal }: { readonly markets: Markets; readonly signal: AbortSignal | undefined },
): Promise<CandleCheckup> {
  const listed = markets.series.filter(({ symbol }) => markets.list.has(marketSymbol(symbol)));
  const checkups: CandleCheckup[] = [];
  for (const ofClass of Map.groupBy(listed, ({ symbol }) => marketClassOf(symbol)).values()) {
    checkups.push(await examineClass(archive, exchange, { series: ofClass, markets, signal }));
  }
  return {
    checks: checkups.flatMap(({ checks }) => checks),
    clockAheadMs: checkups.find(({ clockAheadMs }) => clockAheadMs !== undefined)?.clockAheadMs,
  };
}

/**
 * Fetches the newest candles of one series of each timeframe: an exchange may open some of them at other times than UTC's.
 * Of the first timeframe the result is told, of the others what is wrong.
 */
async function examineClass(
  archive: Archive,
  exchange: ArchivedExchange,
  { series, ...options }: {
    readonly series: readonly Series[];
    readonly markets: Markets;
    readonly signal: AbortSignal | undefined;
  },
): Promise<CandleCheckup> {
  const [first, ...others] = Map.groupBy(series, ({ timeframe }) => timeframe.text).values();
  if (first === undefined) return { checks: [], clockAheadMs: undefined };
  const { checks, clockAheadMs } = await examineNewest(archive, exchange, {
    series: first[0]!,
    ...options,
  });
  const told = [...checks];
  // What fails for one timeframe, such as access, fails for all.
  if (checks.some(({ ok }) => !ok)) return { checks, clockAheadMs };
  for (const [series] of others) {
    const other = await examineNewest(archive, exchange, { series: series!, ...options });
    for (const check of other.checks) if (!check.ok) told.push(check);
  }
  return { checks: told, clockAheadMs };
}

async function examineNewest(
  archive: Archive,
  exchange: ArchivedExchange,
  { series, markets, signal }: {
    readonly series: Series;
    readonly markets: Markets;
    readonly signal: AbortSignal | undefined;
  },
): Promise<CandleCheckup> {
  const { timeframe } = series;
  const untilMs = closedUntil(timeframe, archive.clock.now());
  const window: Window = { sinceMs: addCandles(timeframe, untilMs, -CANDLES_ASKED), untilMs };
  try {
    const { candles, rejected, clockAheadMs } = await exchange.askPage(series, window, {
      priority: "live",
      markets,
      isBeyondShare: true,
      signal,
    });
    const [bad] = rejected;
    if (candles.length === 0 && bad !== undefined) {
      return { checks: [nothingPassedCheck(series, bad, rejectedRows(rejected))], clockAheadMs };
    }
    const newest = candles.at(-1);
    const until = newest === undefined ? "" : `, the last of ${iso(newest.openTimeMs)}`;
    const message = `${candles.length} of the newest ${CANDLES_ASKED} of ${series.symbol} ` +
      `${timeframe.text} came${until}`;
    return { checks: [{ check: "candles", ok: true, message }], clockAheadMs };
  } catch (error) {
    archive.log.debug("the doctor got no candles", { series: seriesName(series), error });
    const checks = [failedCheck(archive, exchange, { check: "candles", error })];
    return { checks, clockAheadMs: undefined };
  }
}

function nothingPassedCheck(
  { symbol, timeframe: { text } }: Series,
  { reason, row }: RejectedCandle,
  rows: number,
): Check {
  const shown = redact(row);
  const example = shown.length > ROW_SHOWN_MAX ? `${shown.slice(0, ROW_SHOWN_MAX)}…` : shown;
  const message = `none of the ${rows} newest rows of ${symbol} ${text} is a candle that can be ` +
    `stored: ${reason}, ${example}`;
  return {
    check: "candles",
    ok: false,
    message: withFix(
      message,
      reason === "time_not_aligned"
        ? `This exchange opens ${text} at other times than UTC's. Leave ${text} out of TIMEFRAMES and BACKFILL`
        : `If this lasts, leave ${symbol} out of SYMBOLS`,
    ),
  };
}

function failedCheck(
  { config }: Archive,
  { id }: ArchivedExchange,
  { check, error }: { readonly check: string; readonly error: unknown },
): Check {
  const message = shortText(errorText(error), MESSAGE_CHARACTERS_MAX);
  return { check, ok: false, message: withFix(message, fixOf(error, id, config)) };
}

/** What the user can do about a failed request. */
function fixOf(error: unknown, exchange: string, config: Archive["config"]): string {
  const variable = `EXCHANGE_${exchange.toUpperCase()}`;
  switch (failureKind(error)) {
    case "rate_limited": {
      const untilMs = error instanceof FetchError ? error.untilMs : undefined;
      const when = untilMs === undefined ? "in an hour" : `after ${iso(untilMs)}`;
      return `Wait, and run titan10 doctor again ${when}`;
    }
    case "denied":
      return `Set EXCHANGE_PROXY_URL, or a proxy in ${variable}, to one whose address is accepted, ` +
        `or remove ${exchange} from EXCHANGES`;
    case "breaker_open":
    case "cancelled":
      return "Run titan10 doctor again in a minute";
    case "permanent":
    case "retention":
      return `Correct SYMBOLS or ${variable}`;
    case "transient":
    case "timeout":
    case "malformed": {
      const fix = foreignCertificateFix(errorText(error));
      if (fix !== undefined) return fix;
      const from = sourceAddress(config, exchange);
      if (from !== undefined) return `If this lasts, set EGRESS to another address than ${from}`;
      if (hasProxy(config.exchangeOptions[exchange] ?? {})) {
        return `If this lasts, check the proxy in ${variable}`;
      }
      return `If this lasts, set EXCHANGE_PROXY_URL to a proxy, or remove ${exchange} from EXCHANGES`;
    }
  }
}

function symbolNames(symbols: readonly UnlistedSymbol[]): string {
  const names = symbols.slice(0, SYMBOLS_NAMED_MAX).map(({ symbol, nearest }) =>
    nearest.length === 0 ? symbol : `${symbol} (nearest ${nearest.join(", ")})`
  );
  const more = symbols.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
