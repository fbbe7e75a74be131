/** What a published file holds is read alike from its bytes and from its text, odd rows included. @module */
import assert from "node:assert/strict";
import { BINANCE_FILES } from "../../lib/exchange/archives/binance_files.ts";
import { checkRow } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { fc } from "../support/property.ts";

const MINUTE_MS = 60_000;
const SINCE_MS = Date.UTC(2024, 2, 1);
const TIMEFRAME = parseTimeframe("1m");

const HEAD = "open_time,open,high,low,close,volume,close_time,quote_volume,count," +
  "taker_buy_volume,taker_buy_quote_volume,ignore";

const oddFields = fc.constantFrom(
  ...["", " 1.5", "1e3", "-2", '"1.5"', "NaN", "0", "0.00", "00.50", "1.", ".5", "1,5", "é"],
  ...["12345678901.00000000", "98765432.12345678", "0.00000000000000000000001", "9".repeat(50)],
  ...[String(SINCE_MS), String(SINCE_MS + 1), String(SINCE_MS - MINUTE_MS), `${SINCE_MS}000`],
);

const files = fc.record({
  symbol: fc.constantFrom("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC", "BTC/USDT:USDT@mark"),
  rows: fc.integer({ min: 0, max: 40 }),
  isMicros: fc.boolean(),
  hasHead: fc.boolean(),
  lineEnd: fc.constantFrom("\n", "\n", "\r\n"),
  isEnded: fc.boolean(),
  odd: fc.array(
    fc.record({
      row: fc.nat({ max: 39 }),
      column: fc.nat({ max: 11 }),
      change: fc.oneof(
        fc.record({ field: oddFields }),
        fc.constantFrom("twice", "moved", "gone", "shorter", "blank", "early"),
      ),
    }),
    { maxLength: 2 },
  ),
});

type OddFile = typeof files extends fc.Arbitrary<infer T> ? T : never;

Deno.test("the candles of a published file are those of its rows, or its rows decide", () => {
  let runs = 0;
  fc.assert(
    fc.property(files, (drawn) => {
      const text = written(drawn);
      const series = { exchange: "binance", symbol: drawn.symbol, timeframe: TIMEFRAME };
      const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 60 * MINUTE_MS };
      const file = { series, url: "", name: "file.zip", window };
      const run = BINANCE_FILES.readRun(file, new TextEncoder().encode(text));
      if (run === undefined) {
        // Only what is odd costs the time of texts.
        if (drawn.odd.length === 0 && drawn.rows > 0) {
          assert.ok(!drawn.isEnded || drawn.symbol.includes("@"), text);
        }
        return;
      }
      runs++;
      const candles = BINANCE_FILES.readRows(file, text).map((row) => checkRow(TIMEFRAME, row));
      assert.deepEqual(
        Array.from({ length: run.length }, (_, at) => ({ candle: run.candle(at) })),
        candles,
      );
      assert.equal(run.timesText(0, run.length), [...run.times].join());
    }),
  );
  assert.ok(runs > 0, "no file was read from its bytes");
});

function written({ rows, isMicros, hasHead, lineEnd, isEnded, odd }: OddFile): string {
  let lines: (readonly string[])[] = Array.from(
    { length: rows },
    (_, at) => fieldsOf(at, isMicros),
  );
  for (const { row, column, change } of odd) {
    const fields = lines[row % Math.max(1, lines.length)];
    if (fields === undefined) continue;
    const at = lines.indexOf(fields);
    if (typeof change !== "string") {
      lines = lines.with(at, fields.map((field, of) => of === column ? change.field : field));
    } else if (change === "twice") lines = lines.toSpliced(at, 0, fields);
    else if (change === "moved") lines = [...lines.toSpliced(at, 1), fields];
    else if (change === "gone") lines = lines.toSpliced(at, 1);
    else if (change === "early") lines = lines.with(at, fieldsOf(-60 + at, isMicros));
    else if (change === "shorter") lines = lines.with(at, fields.slice(1));
    else lines = lines.toSpliced(at, 0, [""]);
  }
  const texts = [...hasHead ? [HEAD] : [], ...lines.map((fields) => fields.join())];
  return texts.join(lineEnd) + (isEnded ? lineEnd : "");
}

function fieldsOf(at: number, isMicros: boolean): readonly string[] {
  const openMs = SINCE_MS + at * MINUTE_MS;
  const time = (timeMs: number): string => isMicros ? `${timeMs}000` : String(timeMs);
  const open = 400 + at / 4;
  const close = open + ((at * 7919) % 13 - 6) / 4 + 0.25;
  const prices = [open, Math.max(open, close) + 0.5, Math.min(open, close) - 0.75, close]
    .map((price) => price.toFixed(8));
  const volume = (1 + (at * 31) % 17 + 0.125).toFixed(8);
  const closeTime = isMicros ? `${openMs + MINUTE_MS - 1}999` : String(openMs + MINUTE_MS - 1);
  return [time(openMs), ...prices, volume, closeTime, "812.5", "17", "0.5", "406.25", "0"];
}
