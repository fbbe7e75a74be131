/** Whether the archive fits on its disk, as far as configuration and exchanges tell. @module */
import { byteText } from "../text/bytes.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Series } from "../market/series.ts";
import { nominalMs } from "../market/timeframe.ts";
import { windowCandles } from "../market/window.ts";
import type { Archive } from "../archive/archive.ts";
import type { Check } from "./check.ts";
import { desireOf } from "../archive/desire.ts";
import { BYTES_A_CANDLE } from "../fetch/plan.ts";

/** A candle in a compressed chunk: 21 to 29 bytes were measured, by timeframe and market. */
const BYTES_A_COMPRESSED_CANDLE = 25;

const YEAR_MS = 365.25 * 86_400_000;

/** What the archive needs, and what there is. */
interface DiskNeed {
  readonly series: number;
  /** All that is desired by now, when it is stored. */
  readonly bytes: number;
  /** What a year adds. */
  readonly bytesAYear: number;
  /** What the database takes already. */
  readonly bytesTaken: number;
  /** Undefined where the disk cannot be seen from here: a server's. */
  readonly bytesFree: number | undefined;
}

/** What all that is desired takes, and what a year adds. */
export function desiredBytes(
  { config, clock }: Archive,
  { series: all, compresses }: {
    readonly series: readonly Series[];
    readonly compresses: boolean;
  },
): Pick<DiskNeed, "series" | "bytes" | "bytesAYear"> {
  const nowMs = clock.now();
  const compressAfterMs = compresses ? config.compressAfterMs ?? Infinity : Infinity;
  const polled = new Set(config.timeframes);
  const retained = new Set(config.retention.map(({ timeframe }) => timeframe));
  let bytes = 0;
  let bytesAYear = 0;
  for (const series of all) {
    const { timeframe } = series;
    const stepMs = nominalMs(timeframe);
    const { window } = desireOf(series, config, {
      nowMs,
      newestCandlesMax: newestCandlesMax(series),
    });
    const candles = windowCandles(timeframe, window);
    const loose = Math.min(candles, compressAfterMs / stepMs);
    bytes += loose * BYTES_A_CANDLE + (candles - loose) * BYTES_A_COMPRESSED_CANDLE;
    if (!polled.has(timeframe.text) || retained.has(timeframe.text)) continue;
    bytesAYear += YEAR_MS / stepMs * (compresses ? BYTES_A_COMPRESSED_CANDLE : BYTES_A_CANDLE);
  }
  return { series: all.length, bytes, bytesAYear };
}

/** Whether it fits, and for how long. */
export function diskCheck(need: DiskNeed): Check {
  const { series, bytes, bytesAYear, bytesTaken, bytesFree } = need;
  const check = "disk";
  if (series === 0) {
    return { check, ok: true, isHint: true, message: "not known without any series" };
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
        `${found}; of that ${byteText(bytesTaken)} are there, and ${free}. Set DATA_DIR on a ` +
        "larger disk, or BACKFILL to less",
    };
  }
  if (bytesLeft >= bytesAYear) return { check, ok: true, message: `${found}; ${free}` };
  const days = Math.floor(bytesLeft / bytesAYear * 365);
  return {
    check,
    ok: true,
    isHint: true,
    message:
      `${found}; ${free}, enough for ${days} days. Set DATA_DIR on a larger disk, or RETENTION`,
  };
}
