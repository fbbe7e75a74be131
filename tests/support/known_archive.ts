/** An archive whose every fault is known: missing, revised, rejected and outlying candles, for reports. @module */
import { addCandles, parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";

const KNOWN_TIMEFRAME = parseTimeframe("5m");

/** All is asked for up to here, and nothing is younger. */
export const KNOWN_NOW_MS = Date.parse("2024-03-03T00:00Z");

/** From here on candles are wanted. */
export const KNOWN_SINCE_MS = Date.parse("2024-02-29T00:00Z");

const DAY_MS = 86_400_000;
const STEP_MS = 5 * 60_000;

/** A name that some exchange might give a coin, to see what a page makes of it. */
const HOSTILE_SYMBOL = `<img src=x onerror="document.title='taken'">&'\u202e/USDT`;

interface KnownGap {
  readonly since: string;
  readonly until: string;
  readonly state: string;
  /** Open times of candles that came into it later. */
  readonly filled?: readonly string[];
}

interface KnownSeries {
  readonly exchange: string;
  readonly symbol: string;
  /** Times the common price. @default 1 */
  readonly price?: number;
  readonly since?: string;
  /** Where coverage begins. @default where the candles begin */
  readonly covered?: string;
  readonly gaps?: readonly KnownGap[];
  /** Multiplies prices of single candles. */
  readonly odd?: Readonly<Record<string, Partial<Record<"high" | "low" | "close", number>>>>;
  /** Candles of this time have no volume and this price, times the common one. */
  readonly idle?: { readonly since: string; readonly until: string; readonly price: number };
  /** Before this time the symbol meant another market, at a tenth of the price. */
  readonly replaced?: string;
}

const SERIES: readonly KnownSeries[] = [
  {
    exchange: "binance",
    symbol: "BTC/USDT",
    gaps: [
      { since: "2024-03-01T10:00", until: "2024-03-01T10:30", state: "no_trades" },
      { since: "2024-03-01T12:00", until: "2024-03-01T12:05", state: "rejected" },
    ],
  },
  {
    exchange: "bybit",
    symbol: "BTC/USDT",
    price: 1.0003,
    gaps: [{
      since: "2024-03-01T22:00",
      until: "2024-03-02T03:00",
      state: "exchange_outage",
      filled: ["2024-03-01T23:00", "2024-03-01T23:05", "2024-03-02T01:00"],
    }],
    odd: {
      "2024-03-01T08:00": { close: 1.04, high: 1.05 },
      "2024-03-02T09:00": { low: 0.5 },
      // Less than the floors.
      "2024-03-02T10:00": { close: 1.008, high: 1.02 },
    },
  },
  {
    exchange: "kraken",
    symbol: "BTC/USDT",
    price: 0.9998,
    gaps: [{ since: "2024-03-02T20:00", until: "2024-03-02T20:10", state: "suspected" }],
    odd: { "2024-03-02T15:00": { high: 1.2 } },
  },
  {
    exchange: "okx",
    symbol: "BTC/USDT",
    price: 1.0001,
    idle: { since: "2024-03-01T05:00", until: "2024-03-01T07:00", price: 1.3 },
  },
  // Younger than what is wanted.
  { exchange: "binance", symbol: "XYZ/USDT", covered: "2024-02-29", price: 0.01 },
  { exchange: "bybit", symbol: "XYZ/USDT", covered: "2024-02-29", price: 0.01 },
  // Another coin of the same name, and before that a third one.
  {
    exchange: "kraken",
    symbol: "XYZ/USDT",
    covered: "2024-02-29",
    price: 0.07,
    replaced: "2024-03-02",
  },
  { exchange: "okx", symbol: "ETH/USDT", price: 0.05 },
  { exchange: "kraken", symbol: "ETH/USDT", price: 0.06 },
  { exchange: "binance", symbol: HOSTILE_SYMBOL, since: "2024-03-02T12:00", covered: "2024-02-29" },
];

/** Writes it into an archive that is migrated and empty. */
export async function makeKnownArchive(database: Database): Promise<void> {
  await ensureCandleTables(database, [KNOWN_TIMEFRAME]);
  for (const series of SERIES) await addSeries(database, series);
  const table = candleTable(KNOWN_TIMEFRAME);
  await database.sql.unsafe(`
    update ${table} set close = close * 1.002, high = high * 1.002
    where exchange = 'binance' and symbol = 'BTC/USDT' and time = '2024-03-01 15:00Z'`);
  await database.sql.unsafe(`
    update ${table} set volume = volume + 1
    where exchange = 'binance' and symbol = 'BTC/USDT' and time >= '2024-03-01 16:00Z' and time < '2024-03-01 16:30Z'`);
  await database.sql.unsafe(`
    update ${table} set low = low * 0.98 where exchange = 'okx' and symbol = 'ETH/USDT' and time >= '2024-03-02 23:50Z'`);
  await database.sql`
    insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
    values ('okx', 'ETH/USDT', '5m', '2024-03-02 23:55Z', 1, 1, 1, 1, 1)`;
  await database.sql`
    insert into rejected_candles (exchange, symbol, timeframe, answered, reason, time, times)
    values ('binance', 'BTC/USDT', '5m', '[1709294400000,"1","0.5","1","1","1"]', 'high_below_body', '2024-03-01 12:00Z', 3),
           ('kraken', 'XYZ/USDT', '5m', '["<script>alert(1)</script>"]', 'not_six_values', null, 1),
           ('kraken', 'XYZ/USDT', '5m', '["other"]', 'not_six_values', '2024-03-02 12:00Z', 2)`;
}

async function addSeries({ sql }: Database, series: KnownSeries): Promise<void> {
  const { exchange, symbol, gaps = [], since = "2024-03-01", covered = since, replaced } = series;
  const firstMs = at(since);
  const rows = candlesOf(series, firstMs);
  const column = (index: number): string => `{${rows.map((row) => row[index]).join(",")}}`;
  await sql.unsafe(
    `insert into ${
      candleTable(KNOWN_TIMEFRAME)
    } (time, exchange, symbol, open, high, low, close, volume)
     select to_timestamp(ms / 1000.0), $1, $2, open, high, low, close, volume
     from unnest($3::float8[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[])
       as row (ms, open, high, low, close, volume)`,
    [exchange, symbol, ...[0, 1, 2, 3, 4, 5].map(column)],
  );
  const [coveredIso, nowIso] = [iso(at(covered)), iso(KNOWN_NOW_MS)];
  await sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, scanned, candles, first, last, first_confirmed,
                             wanted_since, listed_from)
    select ${exchange}, ${symbol}, '5m', range, range, ${rows.length}, ${iso(firstMs)}::timestamptz,
           ${iso(rows.at(-1)![0])}::timestamptz, ${iso(firstMs)}::timestamptz,
           ${iso(KNOWN_SINCE_MS)}::timestamptz, null
    from (select tstzmultirange(tstzrange(${coveredIso}::timestamptz, ${nowIso}::timestamptz)) as range) as known`;
  for (const { since, until, state, filled = [] } of gaps) {
    const missing = (at(until) - at(since)) / STEP_MS - filled.length;
    await sql`
      insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
      values (${exchange}, ${symbol}, '5m', ${iso(at(since))}, ${
      iso(at(until))
    }, ${state}, ${missing})`;
  }
  if (replaced === undefined) return;
  await sql`
    insert into listings (exchange, symbol, since, until, market_id, why, noticed_at)
    values (${exchange}, ${symbol}, ${iso(firstMs)}, ${iso(at(replaced))}, 'old', 'replaced', null),
           (${exchange}, ${symbol}, ${iso(at(replaced))}, null, 'new', null, ${iso(at(replaced))})`;
}

type Row = readonly [number, string, string, string, string, string];

function candlesOf(series: KnownSeries, firstMs: number): readonly Row[] {
  const rows: Row[] = [];
  const { price: factor = 1, gaps = [], odd = {}, idle, replaced } = series;
  for (let ms = firstMs; ms < KNOWN_NOW_MS; ms = addCandles(KNOWN_TIMEFRAME, ms, 1)) {
    const isMissing = gaps.some(({ since, until, filled = [] }) =>
      at(since) <= ms && ms < at(until) && !filled.some((time) => at(time) === ms)
    );
    if (isMissing) continue;
    const isIdle = idle !== undefined && at(idle.since) <= ms && ms < at(idle.until);
    const former = replaced !== undefined && ms < at(replaced) ? 0.1 : 1;
    const price = 60_000 * (1 + Math.sin(ms / DAY_MS) / 50) * factor * former *
      (isIdle ? idle.price : 1);
    const off = odd[iso(ms).slice(0, 16)] ?? {};
    const close = price * (off.close ?? 1);
    const values = [
      price,
      Math.max(price * 1.001 * (off.high ?? 1), close),
      Math.min(price * 0.999 * (off.low ?? 1), close),
      close,
      isIdle ? 0 : 7,
    ];
    const [open, high, low, last, volume] = values.map((value) => value.toFixed(4));
    rows.push([ms, open!, high!, low!, last!, volume!]);
  }
  return rows;
}

function at(time: string): number {
  return Date.parse(time.length === 10 ? `${time}T00:00Z` : `${time}Z`);
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
