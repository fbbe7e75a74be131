/** What the polls of an archived exchange take, from its markets, its pace and what its class charges. @module */
import { Cron } from "croner";
import { settingsOf } from "../config/exchange_settings.ts";
import type { AskedWindow } from "../exchange/candle_request.ts";
import type { MarketList } from "../exchange/market_list.ts";
import { type Capacity, capacityOf } from "../market/capacity.ts";
import { marketClassOf } from "../market/market_class.ts";
import type { Series } from "../market/series.ts";
import { kindOf } from "../market/symbol.ts";
import { addCandles, closedUntil } from "../market/timeframe.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { type Markets, polledSeries } from "../archive/markets_in_force.ts";

/** The mean time between so many polls is taken: `POLL_CRON` may name irregular times. */
const TICKS = 60;

/** Computes what the polls take while these markets are in force, of the busiest pace. Sends nothing. */
export async function pollCapacity(
  archive: Archive,
  exchange: ArchivedExchange,
  markets: Markets,
): Promise<Capacity> {
  return busiest([...(await pollCapacities(archive, exchange, markets)).values()]);
}

/** The one of an exchange whose polls take most of their pace. */
export function busiest(capacities: readonly Capacity[]): Capacity {
  return capacities.reduce((a, b) => b.secondsAMinute > a.secondsAMinute ? b : a);
}

/**
 * Computes what the polls take of each pace, by its name: kinds of markets with servers of their own have their own. There is
 * at least the main one, `""`.
 */
export async function pollCapacities(
  { config, clock }: Archive,
  exchange: ArchivedExchange,
  markets: Markets,
): Promise<ReadonlyMap<string, Capacity>> {
  const nowMs = clock.now();
  const { list } = markets;
  const due = polledSeries(markets, settingsOf(config, exchange.id));
  const asked = due.map((series) => {
    const { timeframe } = series;
    const untilMs = closedUntil(timeframe, nowMs);
    const rows = Math.min(config.pollCandles, exchange.pageRowsMax(series));
    return { series, window: { sinceMs: addCandles(timeframe, untilMs, -rows), untilMs } };
  });
  const requestMs = await requestTimes(exchange, asked, list);
  const lanes = new Map<string, Series[]>([["", []]]);
  for (const series of due) {
    const name = await exchange.client.laneOf(series, list);
    const lane = lanes.get(name) ?? [];
    lane.push(series);
    lanes.set(name, lane);
  }
  const times = { tickMs: pollMs(config.pollCron, nowMs), settleMs: exchange.settleMs };
  return new Map([...lanes].map(([lane, series]) => {
    const polled = series.map((one) => ({ ...one, requestMs: requestMs(one) }));
    const kinds = [...new Set(series.map(({ symbol }) => kindOf(symbol)))];
    return [lane, {
      ...capacityOf(exchange.id, polled, times),
      kinds: lanes.size > 1 ? kinds : null,
    }];
  }));
}

/**
 * How long the pace makes the next request wait after one for a series. Milliseconds. Of each class of market and
 * timeframe the longest window stands for all.
 */
export async function requestTimes(
  { client }: ArchivedExchange,
  asked: readonly AskedWindow[],
  list: MarketList,
): Promise<(series: Series) => number> {
  const longest = new Map<string, AskedWindow>();
  for (const one of asked) {
    const { window: { sinceMs, untilMs } } = longest.get(typeOf(one.series)) ?? NOTHING_ASKED;
    const isLonger = one.window.untilMs - one.window.sinceMs > untilMs - sinceMs;
    if (isLonger) longest.set(typeOf(one.series), one);
  }
  const times = asked.length === 0 ? [] : await client.requestMs([...longest.values()], { list });
  const known = new Map([...longest.keys()].map((type, index) => [type, times[index]]));
  return (series) => known.get(typeOf(series)) ?? client.requestIntervalMs;
}

const NOTHING_ASKED = { window: { sinceMs: 0, untilMs: 0 } } as const;

function typeOf({ symbol, timeframe }: Series): string {
  return `${marketClassOf(symbol)} ${timeframe.text}`;
}

/** The mean time between two polls. Milliseconds. */
function pollMs(cron: string, nowMs: number): number {
  const runs = new Cron(cron, { paused: true, timezone: "UTC" }).nextRuns(TICKS, new Date(nowMs));
  const [first] = runs;
  const last = runs.at(-1);
  // Times that come only once are as good as none.
  if (first === undefined || last === undefined || runs.length < 2) return Infinity;
  return (last.getTime() - first.getTime()) / (runs.length - 1);
}
