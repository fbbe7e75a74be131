import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { Spacing } from "../../lib/transfer/row_spacing.ts";
import { MarkMemory, SeriesEvidence } from "../../lib/transfer/series_evidence.ts";

const MINUTE = parseTimeframe("1m");
const START_MS = Date.UTC(2024, 0, 1);
const YEAR_MS = 365 * 86_400_000;

/** Adds rows of these times, and judges. */
function judge(symbol: string, memory: MarkMemory, timesMs: readonly number[]): void {
  const series = { exchange: "kraken", symbol, timeframe: MINUTE };
  const evidence = new SeriesEvidence(series, memory);
  timesMs.forEach((timeMs, at) =>
    evidence.add({
      line: at + 2,
      timeMs,
      values: ["1", "2", "0.5", "1.5", "10"],
      isLeftOut: false,
      closeMs: undefined,
    })
  );
  evidence.judge({ writtenMs: undefined, isNamed: true, spacing: new Spacing(MINUTE) });
}

Deno.test("the series of one file share the memory for their times, and a file with too many is refused", () => {
  const memory = new MarkMemory(3);
  const far = [START_MS, START_MS + YEAR_MS];
  judge("BTC/USD", memory, far);
  assert.throws(
    () => judge("ETH/USD", memory, far),
    /Cannot import candles of kraken ETH\/USD 1m: the file has too many candles.* at line 3\. Split it/,
  );
  judge("ETH/USD", new MarkMemory(3), far);
});
