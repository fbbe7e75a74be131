/** How much disk space candles take, and how much more they take every month. @module */
import type { Config } from "../config/config.ts";
import { reachOf, settingsOf } from "../config/exchange_settings.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Series } from "../market/series.ts";
import { closedUntil, nominalMs } from "../market/timeframe.ts";
import { desireOf } from "../archive/desire.ts";

/**
 * Disk space of a candle with its index entry before compression. Measured with 410,000 `1m` candles of ten symbols:
 * 172 bytes in a plain table of PostgreSQL 15 and 173 in a hypertable. Compressed chunks took 21 bytes per candle.
 */
export const BYTES_A_CANDLE = 173;

/** A candle in a compressed chunk. Measured: 21 to 29 bytes, depending on timeframe and market. */
export const BYTES_A_COMPRESSED_CANDLE = 25;

/** The mean length of a month. */
const MONTH_MS = 365.25 / 12 * 86_400_000;

/** What new candles take every month. Bytes. */
export interface DiskGrowth {
  readonly bytesAMonth: number;
  /** The same after `COMPRESS_AFTER`. */
  readonly compressedAMonth: number;
}

/**
 * The growth of these series, polled or backfilled. One that `RETENTION` drops does not grow for ever, and one that is
 * wanted only up to some time has an end: they do not count.
 */
export function diskGrowth(
  config: Config,
  series: readonly Series[],
  { nowMs }: { readonly nowMs: number },
): DiskGrowth {
  let candles = 0;
  for (const one of series) {
    const { exchange, timeframe } = one;
    const { timeframes, retention } = settingsOf(config, exchange);
    if (reachOf(retention, timeframe.text) !== undefined) continue;
    const options = { nowMs, newestCandlesMax: newestCandlesMax(one), settleMs: 0 };
    const isPolled = timeframes.includes(timeframe.text);
    const { untilMs } = desireOf(one, config, options).window;
    if (!isPolled && untilMs < closedUntil(timeframe, nowMs)) continue;
    candles += MONTH_MS / nominalMs(timeframe);
  }
  return {
    bytesAMonth: candles * BYTES_A_CANDLE,
    compressedAMonth: candles * BYTES_A_COMPRESSED_CANDLE,
  };
}
