/** Candles whose prices lie apart from those of the other exchanges at the same moment. @module */
import type { Series } from "../market/series.ts";
import { parseTimeframe, type Timeframe } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { columns, epochMs } from "./parameters.ts";
import { literal } from "./report.ts";

/**
 * When a price is an outlier: it is further from the median of the other exchanges than `deviations` robust standard
 * deviations of theirs, and than a floor. Robust: 1.4826 times the median absolute deviation, which equals the standard
 * deviation of a normal distribution and which one wrong exchange cannot stretch. Five of them are exceeded by chance once
 * in two million times. The floors are what arbitrage leaves open even while a market falls: closes of exchanges stay
 * within one percent; a high or low is a single trade of one order book, and lies further out.
 */
export const OUTLIER_RULE = {
  deviations: 5,
  closeFloorPercent: 1,
  extremeFloorPercent: 3,
  /** At fewer there is no telling which one is wrong. */
  exchangesMin: 3,
} as const;

/** Of a normal distribution: its standard deviation by its median absolute deviation. */
const ROBUST_FACTOR = 1.4826;

/** Prices further apart than doubles can divide are not compared. */
const PRICE_MIN = 1e-100;
const PRICE_MAX = 1e100;

const PRICES = ["close", "high", "low"] as const;

type PriceField = (typeof PRICES)[number];

/** From when until when candles of a series are of the market that its symbol means now. */
export interface MarketTime {
  readonly series: Series;
  /** From the first stored candle to after the last one. */
  readonly candles: Window;
  readonly market: Window;
}

/** Of all series that hold candles. Milliseconds; the market's times are infinite where nothing else is known. */
export async function readMarketTimes(database: Database): Promise<readonly MarketTime[]> {
  return await database.run("read when each symbol meant its market", async (sql) => {
    const rows = await sql<MarketTimeRow[]>`
      select exchange, symbol, timeframe, first, last, ended_at,
             greatest(listed_from, (select max(since) from listings as former
                                    where (former.exchange, former.symbol) = (series.exchange, series.symbol)
                                      and former.noticed_at is not null)) as began
      from checkpoints as series
      where first is not null and last is not null
      order by exchange, symbol, timeframe`;
    return rows.map((row) => ({
      series: {
        exchange: row.exchange,
        symbol: row.symbol,
        timeframe: parseTimeframe(row.timeframe),
      },
      candles: { sinceMs: row.first.getTime(), untilMs: row.last.getTime() + 1 },
      market: {
        sinceMs: epochMs(row.began) ?? -Infinity,
        untilMs: epochMs(row.ended_at) ?? Infinity,
      },
    }));
  });
}

interface MarketTimeRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  readonly first: Date;
  readonly last: Date;
  readonly ended_at: Date | null;
  readonly began: Date | null;
}

/** The candles of one symbol that were compared, of one exchange. */
export interface ComparedCandles {
  readonly exchange: string;
  readonly compared: number;
  /** Candles of which at least one price is an outlier. */
  readonly outliers: number;
  readonly closes: number;
  readonly highs: number;
  readonly lows: number;
  /** Those furthest away. */
  readonly worst: readonly Outlier[];
}

export interface Outlier {
  /** Open time. Milliseconds. */
  readonly timeMs: number;
  /** The price of the candle that is furthest away. */
  readonly field: "high" | "low" | "close";
  readonly price: string;
  /** Median of the other exchanges. */
  readonly median: number;
  /** How far the price is from the median, in percent of it; negative below it. */
  readonly percent: number;
  /** How many others had the moment. */
  readonly others: number;
}

const MARKETS = columns<MarketTime>({
  exchange: ["text", ({ series }) => series.exchange],
  since_ms: ["float8", ({ market }) => market.sinceMs],
  until_ms: ["float8", ({ market }) => market.untilMs],
});

/**
 * Compares the candles of one symbol in a window between exchanges, `worstMax` outliers of each. The symbol is the same, so
 * base, quote and what settles it are, too. Left out are candles of a former market of the symbol or after the end of a
 * listing, and those with volume 0: where nobody traded, the price is that of an earlier moment.
 *
 * At nearly all moments the prices of all exchanges lie within the floors, so that nothing more is computed. Else the median
 * of the others is looked up in the sorted prices of the moment by leaving out the candle's own.
 */
export async function readOutliers(
  database: Database,
  { symbol, timeframe, markets, window }: {
    readonly symbol: string;
    readonly timeframe: Timeframe;
    readonly markets: readonly MarketTime[];
    readonly window: Window;
  },
  { worstMax }: { readonly worstMax: number },
): Promise<readonly ComparedCandles[]> {
  return await database.run(`compare candles of ${symbol} ${timeframe.text}`, async (sql) => {
    const rows = await sql.unsafe<ComparedRow[]>(
      statementOf(timeframe, window),
      [symbol, worstMax, ...MARKETS.arrays(markets)],
    );
    return rows.map(({ worst, ...counts }) => ({
      ...counts,
      worst: worst.map(([timeMs, field, price, median, percent, others]) => ({
        timeMs,
        field,
        price,
        median,
        percent,
        others,
      })),
    }));
  });
}

/** `$1` is the symbol, `$2` how many outliers of each exchange are listed, and then come the columns of the markets. */
function statementOf(timeframe: Timeframe, window: Window): string {
  return `with ${measuredCandles(timeframe, window)}, ${FAR_CANDLES}`;
}

/**
 * The candles of moments that enough exchanges have, and of moments at which prices lie further apart than a floor, each
 * with the medians of the others. A moment carries its candles in arrays: a join with them would be a nested loop where no
 * statistics are known yet.
 */
function measuredCandles(timeframe: Timeframe, window: Window): string {
  const [exchanges] = MARKETS.parameters(3).split(",");
  return `
listed as (select * from ${MARKETS.rows(3)}),
candle as materialized (
  select time, candle.exchange, ${each((price) => price)}, count(*) over moment as present,
         ${
    PRICES.map((price) => `${limitOf(price)} < max(${price}) over moment`).join(" or ")
  } as is_apart
  from ${candleTable(timeframe)} as candle
  join listed on listed.exchange = candle.exchange
  where symbol = $1 and candle.exchange = any (${exchanges})
    and time >= ${literal(window.sinceMs)} and time < ${literal(window.untilMs)}
    and time >= to_timestamp(since_ms / 1000.0) and time < to_timestamp(until_ms / 1000.0)
    and coalesce(volume > 0, true) and low > ${PRICE_MIN} and high < ${PRICE_MAX}
  window moment as (partition by time)
),
moment as (
  select time, count(*)::int as present, array_agg(exchange order by exchange) as exchanges,
         ${each((price) => `array_agg(${price} order by exchange) as ${price}_prices`)},
         ${each((price) => `array_agg(${price}::float8 order by ${price}::float8) as ${price}s`)}
  from candle where present >= ${OUTLIER_RULE.exchangesMin} and is_apart
  group by time
),
measured as (
  select *, ${each(medianOfOthers)}
  from (select time, present, exchange,
               ${each((price) => `${price}s, ${price}, ${price}::float8 as ${price}_double`)}
        from moment
        cross join lateral unnest(exchanges, ${each((price) => `${price}_prices`)})
          as one (exchange, ${each((price) => price)})) as candle
)`;
}

/** Prices that are too far away, and the counts of each exchange. */
const FAR_CANDLES = `
far as (
  select time, exchange, field, price, median, present, amount / median * 100 as percent
  from measured
  cross join lateral (values ${each(priceRow)})
    as price (field, price, amount_at, all_amounts, median, floor_percent)
  cross join lateral (select amount_at - median as amount) as distance
  where abs(amount) > median * floor_percent / 100
    and abs(amount) > ${OUTLIER_RULE.deviations * ROBUST_FACTOR} * (
      select percentile_cont(0.5) within group (order by abs(other - median))
      from unnest(all_amounts) with ordinality as other_amount (other, place)
      where place <> array_position(all_amounts, amount_at))
),
told as (
  select exchange, count(distinct time)::int as outliers,
         ${each((price) => `count(*) filter (where field = '${price}')::int as ${price}s`)}
  from far group by exchange
),
worst as (
  select exchange,
         json_agg(json_build_array((extract(epoch from time) * 1000)::float8, field, price::text, median, percent,
                                   present - 1) order by place) as worst
  from (select *, row_number() over (partition by exchange order by abs(percent) desc, time) as place
        from (select distinct on (exchange, time) * from far
              order by exchange, time, abs(percent) desc, field) as furthest) as placed
  where place <= $2::int
  group by exchange
)
select exchange, compared, coalesce(outliers, 0) as outliers,
       ${each((price) => `coalesce(${price}s, 0) as ${price}s`)}, coalesce(worst, '[]') as worst
from (select exchange, count(*)::int as compared from candle
      where present >= ${OUTLIER_RULE.exchangesMin} group by exchange) as counted
left join told using (exchange) left join worst using (exchange)
order by exchange`;

/** Of sorted prices, without that of the candle itself: the one at a place, or the next if its own lies before. */
function medianOfOthers(price: PriceField): string {
  const all = `${price}s`;
  const at = (place: string): string =>
    `case when ${all}[${place}] < ${price}_double then ${all}[${place}] else ${all}[${place} + 1] end`;
  return `(${at("present / 2")} + ${at("(present + 1) / 2")}) / 2 as ${price}_median`;
}

/** Where all prices of a moment lie below it, none is further from a median than the floor. */
function limitOf(price: PriceField): string {
  return `min(${price}) over moment * ${1 + floorPercent(price) / 100}`;
}

function priceRow(price: PriceField): string {
  const floor = floorPercent(price);
  return `('${price}', ${price}, ${price}_double, ${price}s, ${price}_median, ${floor})`;
}

function floorPercent(price: PriceField): number {
  return price === "close" ? OUTLIER_RULE.closeFloorPercent : OUTLIER_RULE.extremeFloorPercent;
}

function each(write: (price: PriceField) => string): string {
  return PRICES.map(write).join(", ");
}

interface ComparedRow {
  readonly exchange: string;
  readonly compared: number;
  readonly outliers: number;
  readonly closes: number;
  readonly highs: number;
  readonly lows: number;
  readonly worst: readonly (readonly [number, Outlier["field"], string, number, number, number])[];
}
