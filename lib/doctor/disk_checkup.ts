/** Estimates whether the archive fits on its disk. @module */
import { byteText } from "../text/bytes.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Series } from "../market/series.ts";
import { nominalMs } from "../market/timeframe.ts";
import { windowCandles } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { Check } from "./check.ts";
import { desireOf } from "../archive/desire.ts";
import { BYTES_A_CANDLE, BYTES_A_COMPRESSED_CANDLE, diskGrowth } from "../fetch/disk_growth.ts";

/** How much disk space the archive needs, and how much there is. */
interface DiskNeed {
  readonly series: number;
  /** Size of all candles that are desired now. */
  readonly bytes: number;
  /** Growth per month, and the same before compression. */
  readonly bytesAMonth: number;
  readonly uncompressedAMonth: number;
  /** Present size of the database. */
  readonly bytesTaken: number;
  /** Undefined for a database server, whose disk is not visible from here. */
  readonly bytesFree: number | undefined;
}

/** Estimates the size of all desired candles, and the growth per month. */
export function desiredBytes(
  { config, clock }: Archive,
  { series: all, compresses }: {
    readonly series: readonly Series[];
    readonly compresses: boolean;
  },
): Pick<DiskNeed, "series" | "bytes" | "bytesAMonth" | "uncompressedAMonth"> {
  const nowMs = clock.now();
  const compressAfterMs = compresses ? config.compressAfterMs ?? Infinity : Infinity;
  let bytes = 0;
  for (const series of all) {
    const { timeframe } = series;
    const stepMs = nominalMs(timeframe);
    const { window } = desireOf(series, config, {
      nowMs,
      newestCandlesMax: newestCandlesMax(series),
      settleMs: 0,
    });
    const candles = windowCandles(timeframe, window);
    const uncompressed = Math.min(candles, compressAfterMs / stepMs);
    bytes += uncompressed * BYTES_A_CANDLE + (candles - uncompressed) * BYTES_A_COMPRESSED_CANDLE;
  }
  const { bytesAMonth, compressedAMonth } = diskGrowth(config, all, { nowMs });
  return {
    series: all.length,
    bytes,
    bytesAMonth: compresses ? compressedAMonth : bytesAMonth,
    uncompressedAMonth: bytesAMonth,
  };
}

/** Checks whether the archive fits on the disk, and for how long. */
export function diskCheck(need: DiskNeed): Check {
  const { series, bytes, bytesAMonth, uncompressedAMonth, bytesTaken, bytesFree } = need;
  const check = "disk";
  if (series === 0) {
    return { check, ok: true, isHint: true, message: "unknown: there are no series yet" };
  }
  const found = `${series} series take about ${byteText(bytes)} with their history, and ` +
    `${byteText(bytesAMonth)} more every month` +
    (uncompressedAMonth === bytesAMonth
      ? ""
      : ` (${byteText(uncompressedAMonth)} before compression)`);
  if (bytesFree === undefined) return { check, ok: true, message: `${found}; on the server` };
  const bytesLeft = bytesFree - Math.max(0, bytes - bytesTaken);
  const free = `${byteText(bytesFree)} ${bytesFree < 2e6 ? "is" : "are"} free`;
  if (bytesLeft < 0) {
    return {
      check,
      ok: false,
      message:
        `${found}; ${byteText(bytesTaken)} are stored already, and ${free}. Move DATA_DIR to a ` +
        "larger disk, or shorten BACKFILL",
    };
  }
  if (bytesLeft >= 12 * bytesAMonth) return { check, ok: true, message: `${found}; ${free}` };
  const days = Math.floor(bytesLeft / (12 * bytesAMonth) * 365);
  return {
    check,
    ok: true,
    isHint: true,
    message:
      `${found}; ${free}, enough for ${days} days. Move DATA_DIR to a larger disk, or set RETENTION`,
  };
}
