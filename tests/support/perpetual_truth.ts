/** What an archive of perpetuals says, held against what the exchange has. @module */
import assert from "node:assert/strict";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import { kindOf } from "../../lib/market/symbol.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import type { ContractExchange } from "./dialects/contract_markets.ts";
import type { PerpetualScene } from "./perpetual_scene.ts";

/** What is wrong with all series in windows by timeframe, and with all rates in the first of them. */
export async function problemsOf(
  scene: PerpetualScene,
  windows: Readonly<Record<string, Window>>,
): Promise<string[]> {
  const problems: string[] = [];
  for (const [timeframe, window] of Object.entries(windows)) {
    for (const symbol of scene.symbols) {
      problems.push(...await candleProblems(scene, { symbol, timeframe, window }));
    }
  }
  const [window] = Object.values(windows);
  for (const symbol of scene.perpetuals) {
    if (window !== undefined) problems.push(...await fundingProblems(scene, symbol, window));
  }
  return problems;
}

/** What is wrong with the candles of one series in a window, a sentence each; none if all is as it should be. */
async function candleProblems(
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
