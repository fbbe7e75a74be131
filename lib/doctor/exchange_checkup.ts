/** Examines one exchange by asking it, within its pace: markets, symbols, the newest candles, what it can do. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { hasProxy } from "../config/exchange_options.ts";
import { seriesName } from "../market/series.ts";
import { addCandles, closedUntil } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import { type ArchivedExchange, failureKind } from "../archive/archived_exchange.ts";
import type { Markets, UnlistedSymbol } from "../archive/markets_in_force.ts";
import type { Known } from "../archive/learned_limits.ts";
import { type Check, counted, iso, messageOf, sentences, topText } from "./check.ts";
import { archivedTimeframes } from "../archive/desire.ts";

/** What was found of one exchange. */
export interface ExchangeCheckup {
  readonly exchange: string;
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** One a configured timeframe. */
  readonly capabilities: readonly CapabilityEntry[];
}

/** See `Capability` for what each means; null is what nobody knows yet. */
export interface CapabilityEntry {
  readonly timeframe: string;
  readonly pageRows: Known<number>;
  readonly rowsSeen: number;
  readonly sinceHonoured: Known<boolean> | null;
  readonly newestCandles: Known<number> | null;
  readonly omitsSilent: Known<boolean> | null;
  readonly learnedAt: string | null;
}

/** Enough to see a market alive, and what any exchange gives at once. */
const CANDLES_ASKED = 5;

/** What an exchange says may be a page of HTML. */
const MESSAGE_CHARACTERS_MAX = 300;

/** Symbols that are named in one message. */
const SYMBOLS_NAMED_MAX = 5;

/** An exchange whose markets were read for this checkup, or were not because of `failure`. */
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

/** What asking one exchange told. */
interface Examined {
  readonly checkup: ExchangeCheckup;
  /** This machine's clock less the `Date` of its answer. Milliseconds; undefined where none had one. */
  readonly clockAheadMs: number | undefined;
}

interface ExamineExchangeOptions {
  /** All exchanges: what one does not list another may. */
  readonly all: readonly ReadExchange[];
  readonly signal: AbortSignal | undefined;
}

/** Examines one of the exchanges, and asks it for candles where its markets were read. */
export async function examineExchange(
  archive: Archive,
  { exchange, markets, failure }: ReadExchange,
  { all, signal }: ExamineExchangeOptions,
): Promise<Examined> {
  const checks: Check[] = [];
  let clockAheadMs: number | undefined;
  if (markets === undefined) {
    checks.push(failedAsk(archive, exchange, { check: "markets", error: failure }));
  } else {
    const candles = await examineCandles(archive, exchange, { markets, signal });
    clockAheadMs = candles.clockAheadMs;
    checks.push(
      { check: "markets", ok: true, message: `loaded at ${iso(markets.loadedAtMs)}` },
      symbolsCheck(archive, markets, all),
      ...candles.checks,
    );
  }
  const checkup = {
    exchange: exchange.id,
    ok: checks.every(({ ok }) => ok),
    checks,
    capabilities: archivedTimeframes(archive.config).map((text) => entryOf(exchange, text)),
  };
  return { checkup, clockAheadMs };
}

function symbolsCheck(
  { config }: Archive,
  { exchange: id, series, unlisted }: Markets,
  all: readonly ReadExchange[],
): Check {
  const check = "symbols";
  const { symbols } = config;
  if (symbols.kind === "top") {
    const chosen = [...new Set(series.map(({ symbol }) => symbol))];
    return chosen.length === 0
      ? {
        check,
        ok: false,
        message: `no market qualifies for ${topText(symbols)}. Correct SYMBOLS`,
      }
      : { check, ok: true, message: `${counted(chosen, "symbol")} for ${topText(symbols)}` };
  }
  const wanted = symbols.symbols.length;
  const found = `${wanted - unlisted.length} of ${wanted} listed`;
  if (unlisted.length === 0) return { check, ok: true, message: found };
  // Another exchange may list it, or is not known yet not to.
  const lost = unlisted.filter(({ symbol }) =>
    all.every(({ markets }) => markets !== undefined && !markets.list.has(symbol))
  );
  if (lost.length > 0) {
    return { check, ok: false, message: `${found}, not ${symbolNames(lost)}. Correct SYMBOLS` };
  }
  const names = symbolNames(unlisted.map(({ symbol }) => ({ symbol, nearest: [] })));
  return unlisted.length === wanted
    ? { check, ok: false, message: `none of ${names} is listed. Take ${id} out of EXCHANGES` }
    : { check, ok: true, message: `${found}, other exchanges list ${names}` };
}

/** One page of the newest candles of the first series that is listed. */
async function examineCandles(
  archive: Archive,
  exchange: ArchivedExchange,
  { markets, signal }: { readonly markets: Markets; readonly signal: AbortSignal | undefined },
): Promise<Pick<Examined, "clockAheadMs"> & Pick<ExchangeCheckup, "checks">> {
  const series = markets.series.find(({ symbol }) => markets.list.has(symbol));
  if (series === undefined) return { checks: [], clockAheadMs: undefined };
  const { timeframe } = series;
  const untilMs = closedUntil(timeframe, archive.clock.now());
  const window: Window = { sinceMs: addCandles(timeframe, untilMs, -CANDLES_ASKED), untilMs };
  try {
    const { candles, clockAheadMs } = await exchange.askPage(series, window, {
      priority: "live",
      markets,
      signal,
    });
    const newest = candles.at(-1);
    const until = newest === undefined ? "" : `, the last of ${iso(newest.openTimeMs)}`;
    const message = `${candles.length} of the newest ${CANDLES_ASKED} of ${series.symbol} ` +
      `${timeframe.text} came${until}`;
    return { checks: [{ check: "candles", ok: true, message }], clockAheadMs };
  } catch (error) {
    archive.log.debug("the doctor got no candles", { series: seriesName(series), error });
    const checks = [failedAsk(archive, exchange, { check: "candles", error })];
    return { checks, clockAheadMs: undefined };
  }
}

function failedAsk(
  { redact, config }: Archive,
  { id }: ArchivedExchange,
  { check, error }: { readonly check: string; readonly error: unknown },
): Check {
  const message = redact(messageOf(error)).slice(0, MESSAGE_CHARACTERS_MAX);
  return { check, ok: false, message: sentences(message, mendOf(error, id, config)) };
}

/** As rustls words it. One that has expired is no stranger's. */
const FOREIGN_CERTIFICATE =
  /invalid peer certificate: (?:UnknownIssuer|certificate not valid for name)/;

/** What a person can do about an ask that failed. */
function mendOf(error: unknown, exchange: string, config: Archive["config"]): string {
  const variable = `EXCHANGE_${exchange.toUpperCase()}`;
  switch (failureKind(error)) {
    case "rate_limited": {
      const untilMs = error instanceof FetchError ? error.untilMs : undefined;
      const when = untilMs === undefined ? "in an hour" : `after ${iso(untilMs)}`;
      return `Leave it alone, and run titan10 doctor again ${when}`;
    }
    case "breaker_open":
    case "cancelled":
      return "Run titan10 doctor again in a minute";
    case "permanent":
    case "retention":
      return `Correct SYMBOLS, or what ${variable} says`;
    case "transient":
    case "timeout":
    case "malformed":
      if (FOREIGN_CERTIFICATE.test(messageOf(error))) {
        return "Somebody else answers: if that is a proxy with an authority of its own, set DENO_TLS_CA_STORE=system";
      }
      if (hasProxy(config.exchangeOptions[exchange] ?? {})) {
        return `If this lasts, look at the proxy that ${variable} names`;
      }
      return `If this lasts, reach ${exchange} through EXCHANGE_PROXY_URL, or take it out of EXCHANGES`;
  }
}

function entryOf({ capabilities }: ArchivedExchange, timeframe: string): CapabilityEntry {
  const capability = capabilities.of(timeframe);
  const { learnedAtMs } = capability;
  return {
    timeframe,
    pageRows: capability.pageRowsMax,
    rowsSeen: capability.rowsMaxSeen,
    sinceHonoured: capability.isSinceHonoured ?? null,
    newestCandles: capability.newestCandles ?? null,
    omitsSilent: capability.omitsSilent ?? null,
    learnedAt: learnedAtMs === undefined ? null : iso(learnedAtMs),
  };
}

function symbolNames(symbols: readonly UnlistedSymbol[]): string {
  const names = symbols.slice(0, SYMBOLS_NAMED_MAX).map(({ symbol, nearest }) =>
    nearest.length === 0 ? symbol : `${symbol} (nearest ${nearest.join(", ")})`
  );
  const more = symbols.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}
