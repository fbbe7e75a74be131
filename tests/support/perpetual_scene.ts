/** An exchange with markets of every kind, an archive of them, and what the one has and the other says. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { type ContractExchange, contractMarkets } from "./dialects/contract_markets.ts";
import { LOCAL_SYMBOLS, type LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { kindOf } from "../../lib/market/symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import { bybit } from "./dialects/bybit.ts";
import { gate } from "./dialects/gate.ts";
import { okx } from "./dialects/okx.ts";
import { emptyDatabase, openTestArchive } from "./local_archive.ts";
import { binance } from "./local_exchange/binance.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import { type LocalExchange, startLocalExchange } from "./local_exchange/faulty_exchange.ts";
import { START_MS, TestClock } from "./test_clock.ts";
import { openAnyTest } from "./test_database.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** How many times sooner waits end. A deadline passes as much sooner, so it is set as much longer. */
const HURRY = 200;

/** Longer waits end at once. */
const LONG_WAIT_MS = 10 * MINUTE_MS;

/** Waits of retries and bans pass quickly, and the time that they take is counted all the same. */
class HurriedClock extends TestClock {
  override async sleep(
    ms: number,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<void> {
    const untilMs = this.now() + Math.max(0, ms);
    await systemClock.sleep(Math.min(ms, LONG_WAIT_MS) / HURRY, { signal });
    this.pass(Math.max(0, untilMs - this.now()));
  }
}

const DIALECTS: Readonly<Record<ContractExchange, Dialect>> = { binance, bybit, okx, gate };

/** Prices that nobody trades, as far as a class has them. */
const OTHER_PRICES: Readonly<Record<ContractExchange, readonly string[]>> = {
  binance: ["mark", "index", "premium"],
  bybit: ["mark", "index", "premium"],
  okx: ["mark", "index"],
  gate: ["mark", "index"],
};

export interface PerpetualScene {
  readonly id: ContractExchange;
  readonly database: Database;
  readonly clock: TestClock;
  readonly exchange: LocalExchange;
  /** Symbols of series: spot, linear, inverse, and other prices of contracts. */
  readonly symbols: readonly string[];
  /** Symbols of perpetuals, whose rates of funding are archived too. */
  readonly perpetuals: readonly string[];
  open(
    timeframes: Readonly<Record<string, string>>,
    change?: Readonly<Record<string, string>>,
  ): ReturnType<typeof openTestArchive>;
}

/** Opens one for the length of `use`, on an empty database. */
export async function withPerpetuals(
  id: ContractExchange,
  use: (scene: PerpetualScene) => Promise<void>,
): Promise<void> {
  const opened = await openAnyTest();
  const clock = new HurriedClock();
  const markets = [...spotMarkets(), ...contractMarkets(id).map(withHole)];
  const exchange = await startLocalExchange({ clock, dialect: DIALECTS[id], symbols: markets });
  const perpetuals = markets.filter(({ contract }) =>
    contract !== undefined && contract.expiryMs === undefined
  ).map(({ symbol }) => symbol);
  const symbols = [
    ...markets.map(({ symbol }) => symbol).filter((symbol) => !symbol.includes("-")),
    ...OTHER_PRICES[id].flatMap((price) =>
      ["BTC/USDT:USDT", price === "premium" ? "ETH/USDT:USDT" : "BTC/USD:BTC"]
        .map((symbol) => `${symbol}@${price}`)
    ),
  ];
  try {
    await emptyDatabase(opened.database);
    await use({
      id,
      database: opened.database,
      clock,
      exchange,
      symbols,
      perpetuals,
      open: (timeframes, change = {}) =>
        openTestArchive(opened.database, {
          EXCHANGES: id,
          SYMBOLS: symbols.join(),
          TIMEFRAMES: Object.keys(timeframes).join(),
          BACKFILL: Object.entries(timeframes).map((entry) => entry.join(":")).join(),
          // In real time a second.
          FETCH_TIMEOUT: `${HURRY}s`,
          RETRY_ATTEMPTS: "6",
          [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({
            rateLimit: 1,
            proxyUrl: exchange.proxyUrl,
          }),
          ...change,
        }, clock),
    });
  } finally {
    await exchange.close();
    await opened.drop();
  }
}

function spotMarkets(): readonly LocalSymbol[] {
  return LOCAL_SYMBOLS.filter(({ symbol }) => symbol === "BTC/USDT" || symbol === "ETH/USDT");
}

/** For three hours of the month the exchange of perpetuals of ether stood still. */
function withHole(market: LocalSymbol): LocalSymbol {
  if (!market.symbol.startsWith("ETH/USDT:")) return market;
  const sinceMs = Math.floor(START_MS / DAY_MS) * DAY_MS - 20 * DAY_MS;
  return { ...market, holes: [{ sinceMs, untilMs: sinceMs + 3 * HOUR_MS }] };
}

/** What is wrong with the candles of one series in a window, a sentence each; none if all is as it should be. */
export async function candleProblems(
  { id, database: { sql }, exchange, clock }: PerpetualScene,
  { symbol, timeframe, window }: {
    readonly symbol: string;
    readonly timeframe: string;
    readonly window: Window;
  },
): Promise<string[]> {
  const name = `${symbol} ${timeframe}`;
  const [since, until] = [new Date(window.sinceMs), new Date(window.untilMs)];
  const rows = await sql<Record<string, string | null>[]>`
    select (extract(epoch from time) * 1000)::bigint::text as time, trim_scale(open)::text as open,
           trim_scale(high)::text as high, trim_scale(low)::text as low, trim_scale(close)::text as close,
           trim_scale(volume_base)::text as volume_base, volume is not null as has_volume
    from ohlcv
    where timeframe = ${timeframe} and exchange = ${id} and symbol = ${symbol} and time >= ${since} and time < ${until}
    order by time`;
  const isPriced = symbol.includes("@");
  const truth = exchange.truth(symbol, parseTimeframe(timeframe), window, clock.now());
  const expected = truth.map((candle) => ({
    ...pricesOf(candle),
    volume_base: isPriced || !hasBaseVolume(id, symbol) ? null : plain(candle.volume),
    has_volume: !isPriced,
  }));
  assert(expected.length > 40, `${name}: ${expected.length} candles say little`);
  const problems: string[] = [];
  const byTime = new Map(rows.map((row) => [row["time"], JSON.stringify(row)]));
  const missing = expected.filter(({ time }) => !byTime.has(time)).length;
  if (missing > 0) problems.push(`${name}: ${missing} missing`);
  const invented = rows.length + missing - expected.length;
  if (invented > 0) problems.push(`${name}: ${invented} that the exchange does not have`);
  const wrong = expected.filter((candle) => {
    const row = byTime.get(candle.time);
    return row !== undefined && row !== JSON.stringify(candle);
  });
  const [first] = wrong;
  if (first !== undefined) {
    const row = byTime.get(first.time);
    problems.push(`${name}: ${wrong.length} wrong, ${row} should be ${JSON.stringify(first)}`);
  }
  const spans = await sql<{ state: string; candles: string }[]>`
    select state, sum(candles)::text as candles
    from ohlcv_explained(${timeframe}, ${id}, ${symbol}, ${since}, ${until}) group by state`;
  for (const { state, candles } of spans) {
    if (!FINAL_STATES.has(state)) problems.push(`${name}: ${candles} ${state}`);
  }
  return problems;
}

/** States of candles for which nothing more has to be asked. */
const FINAL_STATES: ReadonlySet<string> = new Set(["stored", "no_trades", "exchange_outage"]);

/** What is wrong with the rates of one perpetual in a window. Milliseconds that an exchange writes too many count not. */
export async function fundingProblems(
  { id, database: { sql }, exchange, clock }: PerpetualScene,
  symbol: string,
  window: Window,
): Promise<string[]> {
  const [since, until] = [new Date(window.sinceMs), new Date(window.untilMs)];
  const rows = await sql<{ time: string; rate: string }[]>`
    select (extract(epoch from date_trunc('minute', time)) * 1000)::bigint::text as time,
           trim_scale(rate)::text as rate
    from funding_rates
    where exchange = ${id} and symbol = ${symbol} and time >= ${since} and time < ${until} order by time`;
  const stored = rows.map(({ time, rate }) => `${time} ${rate}`);
  const truth = exchange.funding(symbol, window, clock.now())
    .map(({ timeMs, rate }) => `${timeMs} ${plain(rate)}`);
  const lost = truth.filter((rate) => !stored.includes(rate));
  const wrong = stored.filter((rate) => !truth.includes(rate));
  return lost.length + wrong.length === 0
    ? []
    : [`${symbol} funding: ${lost.length} of ${truth.length} lost, ${wrong.length} wrong`];
}

/** Whether the base volume is told, or follows from contracts of a fixed worth. Gate's dollars of bitcoin do not say it. */
function hasBaseVolume(id: ContractExchange, symbol: string): boolean {
  return id !== "gate" || kindOf(symbol) !== "inverse";
}

function pricesOf({ openTimeMs, open, high, low, close }: LocalCandle): {
  readonly time: string;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
} {
  return {
    time: String(openTimeMs),
    open: plain(open),
    high: plain(high),
    low: plain(low),
    close: plain(close),
  };
}

/** Without zeros at the end, as the database writes it. */
function plain(decimal: string): string {
  const short = decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
  return short === "-0" ? "0" : short;
}
