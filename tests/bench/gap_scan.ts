/** Looking for gaps after a thousand new candles against looking through all of them. @module */
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { candleTable, ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { scanGaps } from "../../lib/store/gaps.ts";
import { type Bench, type Result, timeMs } from "./bench.ts";

const MINUTE = parseTimeframe("1m");
const CANDLES = 10_000_000;
const SERIES = 20;
const NOW_MS = Date.UTC(2024, 0, 1);
const NEW_CANDLES = 1_000;
/** The scans of new candles take milliseconds: the mean of several is told. */
const RUNS = 5;

export const gapScan: Bench = {
  name: "h gap scan",
  async run({ opened: { database }, scale }): Promise<readonly Result[]> {
    await ensureCandleTables(database, [MINUTE]);
    const each = Math.round(CANDLES * scale / SERIES);
    await addCandles(database, { from: 0, count: each });
    const found: number[] = [];
    const fullMs = await timeMs(async () => found.push(await scanGaps(database, MINUTE, NOW_MS)));
    let newMs = 0;
    const perRun = NEW_CANDLES / SERIES;
    for (let run = 0; run < RUNS; run++) {
      await addCandles(database, { from: each + run * perRun, count: perRun });
      newMs += await timeMs(async () => found.push(await scanGaps(database, MINUTE, NOW_MS)));
    }
    if (found.some((gaps) => gaps === 0)) throw new Error("a scan has found none of the gaps");
    return [{
      bench: this.name,
      value: newMs / RUNS,
      unit: "ms",
      ratio: newMs / RUNS / fullMs,
      against: `a scan of all ${each * SERIES} candles (${fullMs} ms)`,
    }];
  },
};

/** Adds minutes to every series, with a gap in every thirty, and claims all of their time. */
async function addCandles(
  { sql }: Database,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<void> {
  const start = "timestamptz '2022-01-01 00:00+00'";
  await sql.unsafe(`
    insert into ${candleTable(MINUTE)} (time, exchange, symbol, open, high, low, close, volume)
    select ${start} + i * interval '1 minute', 'bench', 'COIN' || series || '/USDT',
           100 + i % 7, 110, 90, 100 + i % 5, i % 1000
    from generate_series(1, ${SERIES}) as series, generate_series(${from}, ${from + count - 1}) as i
    where i % 30 <> 29`);
  await sql.unsafe(`
    insert into checkpoints as known (exchange, symbol, timeframe, covered, first)
    select 'bench', 'COIN' || series || '/USDT', '1m',
           tstzmultirange(tstzrange(${start} + ${from} * interval '1 minute',
                                    ${start} + ${from + count} * interval '1 minute')), ${start}
    from generate_series(1, ${SERIES}) as series
    on conflict (exchange, symbol, timeframe) do update set covered = known.covered + excluded.covered`);
  await sql.unsafe(`analyze ${candleTable(MINUTE)}`);
}
