/** What the views of an archive say of every candle, side by side. @module */
import assert from "node:assert/strict";
import type { Config } from "../../lib/config/config.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readExplainedDocument } from "../../lib/serve/chart_answer.ts";
import { readGapEntries } from "../../lib/serve/gap_list.ts";
import { readStatus, type SeriesStatus } from "../../lib/serve/status.ts";
import { readSettling } from "../../lib/store/capabilities.ts";
import type { Database } from "../../lib/store/connection/database.ts";

/** The page explains at most so many candles at once. */
const CANDLES_ASKED = 2_000;

/** The open states are one: whether a gap is asked for this very moment makes no difference here. */
const wordOf = (state: string): string => state === "refetching" ? "suspected" : state;

/**
 * Asserts that `status`, `gaps`, `ohlcv_explained` and the page say the same of every candle of all series, from where one
 * is wanted or answered for to the last one that has closed.
 */
export async function assertOneTruth(
  database: Database,
  { config, nowMs, message }: {
    readonly config: Config;
    readonly nowMs: number;
    readonly message: string;
  },
): Promise<void> {
  const { series } = await readStatus({ config, database, nowMs, newestCandlesMax });
  const gaps = (await Array.fromAsync(readGapEntries(database))).flat();
  const settling = await readSettling(database, nowMs);
  for (const status of series) {
    const name = `${status.exchange} ${status.symbol} ${status.timeframe}`;
    const explained = await explainedStates(database, status, nowMs);
    const listed = new Map<number, string>();
    let missing = 0;
    const timeframe = parseTimeframe(status.timeframe);
    for (const gap of gaps.filter((gap) => sameSeries(gap, status))) {
      missing += gap.missing;
      for (
        let timeMs = Date.parse(gap.since);
        timeMs < Date.parse(gap.until);
        timeMs = addCandles(timeframe, timeMs, 1)
      ) {
        if (explained.get(timeMs) === "stored") continue;
        assert.equal(listed.get(timeMs), undefined, `${message}: ${name} has two gaps at one time`);
        listed.set(timeMs, wordOf(gap.state));
      }
    }
    assert.equal(missing, listed.size, `${message}: ${name}, the sum of the gaps`);
    for (const [timeMs, word] of explained) {
      const expected = ["stored", "owed", "ended", "expired"].includes(word) ? undefined : word;
      const at = new Date(timeMs).toISOString();
      assert.equal(listed.get(timeMs), expected, `${message}: ${name} ${at} in gaps`);
    }
    const counts: Record<string, number> = {};
    const dueMs = closedUntil(timeframe, nowMs - settling(status.exchange));
    for (const [timeMs, word] of explained) {
      // Candles that may still change are not owed yet.
      if (word === "owed" && timeMs >= dueMs) continue;
      counts[word] = (counts[word] ?? 0) + 1;
    }
    const { stored = 0, owed = 0, suspected = 0, ended: _, expired: __, ...reasons } = counts;
    assert.deepEqual(
      [status.candles, status.owed, status.missing, status.reasons],
      [stored, owed, suspected, reasons],
      `${message}: ${name}, the counts of status`,
    );
  }
}

/** The state of every candle by its time, as the function says; and the page must say the same. */
async function explainedStates(
  database: Database,
  { exchange, symbol, timeframe: text }: SeriesStatus,
  nowMs: number,
): Promise<ReadonlyMap<number, string>> {
  const timeframe = parseTimeframe(text);
  const untilMs = closedUntil(timeframe, nowMs);
  const [known] = await database.sql<{ since: Date | null }[]>`
    select least(nullif(wanted_since, 'infinity'), lower(covered)) as since from checkpoints
    where exchange = ${exchange} and symbol = ${symbol} and timeframe = ${text}`;
  const states = new Map<number, string>();
  let sinceMs = known?.since?.getTime() ?? untilMs;
  while (sinceMs < untilMs) {
    const endMs = Math.min(untilMs, addCandles(timeframe, sinceMs, CANDLES_ASKED));
    const [since, until] = [new Date(sinceMs).toISOString(), new Date(endMs).toISOString()];
    const rows = await database.sql<{ span_since: Date; state: string; candles: string }[]>`
      select * from ohlcv_explained(${text}, ${exchange}, ${symbol}, ${since}, ${until})`;
    const page = await readExplainedDocument(
      database,
      new URLSearchParams({ exchange, symbol, timeframe: text, since, until }),
    );
    assert.deepEqual(
      page.spans.map(({ since, state, candles }) => [since, state, candles]),
      rows.map((row) => [row.span_since.toISOString(), row.state, Number(row.candles)]),
    );
    for (const { span_since, state, candles } of rows) {
      for (let n = 0; n < Number(candles); n++) {
        states.set(addCandles(timeframe, span_since.getTime(), n), wordOf(state));
      }
    }
    sinceMs = endMs;
  }
  return states;
}

function sameSeries(
  one: Pick<SeriesStatus, "exchange" | "symbol" | "timeframe">,
  other: Pick<SeriesStatus, "exchange" | "symbol" | "timeframe">,
): boolean {
  return one.exchange === other.exchange && one.symbol === other.symbol &&
    one.timeframe === other.timeframe;
}
