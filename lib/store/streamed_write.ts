/** Stores candles that came over streams, by one statement for each table of candles. They are never covered. @module */
import type { Candle } from "../market/candle.ts";
import { type Series, seriesName } from "../market/series.ts";
import { candleTable } from "./candle_table.ts";
import type { Database } from "./connection/database.ts";
import { codeOf, StoreError } from "./connection/store_error.ts";
import { columns } from "./parameters.ts";

/** A candle that came over a stream, whole and checked. */
export interface StreamedCandle {
  readonly series: Series;
  readonly candle: Candle;
  /** The exchange's id of the market that the stream is of; undefined where it has none. */
  readonly marketId: string | undefined;
}

/**
 * - `stored`: it is in the archive now, until an answer of the exchange tells of it.
 * - `revised`: the stream gave it other values before.
 * - `known`: it is stored already, or the exchange has answered for its time.
 * - `left`: its series is not archived (any more), or no answer has told of it yet.
 * - `locked`: another statement holds its series. It may be stored later.
 */
export type StreamedOutcome = "stored" | "revised" | "known" | "left" | "locked";

const STREAMED = columns<StreamedCandle>({
  exchange: ["text", ({ series }) => series.exchange],
  symbol: ["text", ({ series }) => series.symbol],
  market: ["text", ({ marketId }) => marketId],
  time_ms: ["float8", ({ candle }) => candle.openTimeMs],
  open: ["numeric", ({ candle }) => candle.open],
  high: ["numeric", ({ candle }) => candle.high],
  low: ["numeric", ({ candle }) => candle.low],
  close: ["numeric", ({ candle }) => candle.close],
  volume: ["numeric", ({ candle }) => candle.volume],
});

/**
 * Stores candles of one timeframe, no candle twice, all but those of series that another statement holds: it waits for
 * none of them. Where an answer of the exchange has told of a candle or its time, that stays.
 *
 * @returns the outcome of each, in their order.
 * @throws StoreError
 */
export async function writeStreamed(
  database: Database,
  candles: readonly StreamedCandle[],
): Promise<readonly StreamedOutcome[]> {
  const [first] = candles;
  if (first === undefined) return [];
  const { timeframe } = first.series;
  const action = candles.length === 1
    ? `store a streamed candle of ${seriesName(first.series)}`
    : `store ${candles.length} streamed candles in ${candleTable(timeframe)}`;
  const store = (): Promise<readonly StreamedOutcome[]> =>
    database.run(action, async (sql) => {
      const rows = await sql.unsafe<{ outcome: StreamedOutcome }[]>(
        `select outcome from titan10_store_streamed($1::text, ${STREAMED.parameters(2)})
         order by place`,
        [timeframe.text, ...STREAMED.arrays(candles)],
        { prepare: true },
      );
      return rows.map(({ outcome }) => outcome);
    });
  // It gives way to what holds the table after a moment, which tells nothing of how pages fare, as does one that stores nothing.
  const written = await database.writes.note("page", () => store().catch(unlessLocked), isStored);
  if (written instanceof StoreError) throw written;
  database.writes.tell(candles.map(({ series }) => series));
  return written;
}

function unlessLocked(error: unknown): StoreError {
  if (error instanceof StoreError && codeOf(error.cause) === "55P03") return error;
  throw error;
}

function isStored(written: readonly StreamedOutcome[] | StoreError): boolean {
  return !(written instanceof StoreError) &&
    written.some((outcome) => outcome === "stored" || outcome === "revised");
}
