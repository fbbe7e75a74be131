/** Real candles out of a file, for benchmarks of what invented ones can only resemble. @module */
import type { Candle } from "../../lib/market/candle.ts";
import { checkRow } from "../../lib/market/candle.ts";
import type { Timeframe } from "../../lib/market/timeframe.ts";

/**
 * Reads `time,open,high,low,close,volume,…` a line, as the exchanges' public archives have them. The time is an open
 * time in seconds, milliseconds or microseconds since the Unix epoch, or ISO 8601. A first line of names is passed
 * over. Ascending, one candle a time.
 *
 * @throws RangeError when a line is no candle.
 */
export async function readCandles(
  file: string,
  timeframe: Timeframe,
): Promise<readonly Candle[]> {
  const text = await Deno.readTextFile(file);
  const candles = new Map<number, Candle>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line === "" || (index === 0 && /[a-z]{3}/i.test(line))) continue;
    const [time = "", ...values] = line.split(",").map((value) => value.replaceAll('"', ""));
    const { candle, rejected } = checkRow(timeframe, [openTimeMs(time), ...values.slice(0, 5)]);
    if (candle === undefined) {
      throw new RangeError(`Cannot read line ${index + 1} of ${file}: ${rejected.reason}`);
    }
    candles.set(candle.openTimeMs, candle);
  }
  return [...candles.values()].sort((a, b) => a.openTimeMs - b.openTimeMs);
}

function openTimeMs(text: string): number {
  if (!/^\d+$/.test(text)) return Date.parse(text);
  if (text.length <= 10) return Number(text) * 1000;
  return text.length <= 13 ? Number(text) : Number(text) / 1000;
}
