/** Estimates whether the archive fits on its disk. @module */
import { byteText } from "../text/bytes.ts";
import { reachOf, settingsOf } from "../config/exchange_settings.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Series } from "../market/series.ts";
import { nominalMs } from "../market/timeframe.ts";
import { windowCandles } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { Check } from "./check.ts";
import { desireOf } from "../archive/desire.ts";
import { BYTES_A_CANDLE } from "../fetch/plan.ts";

/** A candle in a compressed chunk. Measured: 21 to 29 bytes, depending on timeframe and market. */
const BYTES_A_COMPRESSED_CANDLE = 25;

const YEAR_MS = 365.25 * 86_400_000;

/** How much disk space the archive needs, and how much there is. */
interface DiskNeed {
  readonly series: number;
  /** Size of all candles that are desired now. */
  readonly bytes: number;
  /** Growth per year. */
  readonly bytesAYear: number;
  /** Present size of the database. */
  readonly bytesTaken: number;
  /** Undefined for a database server, whose disk is not visible from here. */
  readonly bytesFree: number | undefined;
}

/** Estimates the size of all desired candles, and the growth per year. */
export function desiredBytes(
  { config, clock }: Archive,
  { series: all, compresses }: {
    readonly series: readonly Series[];
    readonly compresses: boolean;
  },
): Pick<DiskNeed, "series" | "bytes" | "bytesAYear"> {
  const nowMs = clock.now();
  const compressAfterMs = compresses ? config.compressAfterMs ?? Infinity : Infinity;
  let bytes = 0;
  let bytesAYear = 0;
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
    const { timeframes, retention } = settingsOf(config, series.exchange);
    if (!timeframes.includes(timeframe.text)) continue;
    if (reachOf(retention, timeframe.text) !== undefined) continue;
    bytesAYear += YEAR_MS / stepMs * (compresses ? BYTES_A_COMPRESSED_CANDLE : BYTES_A_CANDLE);
  }
  return { series: all.length, bytes, bytesAYear };
}

/** Checks whether the archive fits on the disk, and for how long. */
export function diskCheck(need: DiskNeed): Check {
  const { series, bytes, bytesAYear, bytesTaken, bytesFree } = need;
  const check = "disk";
  if (series === 0) {
    return { check, ok: true, isHint: true, message: "unknown: there are no series yet" };
  }
  const found = `${series} series take about ${byteText(bytes)} with their history, and ` +
    `${byteText(bytesAYear)} more every year`;
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
  if (bytesLeft >= bytesAYear) return { check, ok: true, message: `${found}; ${free}` };
  const days = Math.floor(bytesLeft / bytesAYear * 365);
  return {
    check,
    ok: true,
    isHint: true,
    message:
      `${found}; ${free}, enough for ${days} days. Move DATA_DIR to a larger disk, or set RETENTION`,
  };
}
