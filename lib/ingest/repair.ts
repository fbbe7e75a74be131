/** Finds holes inside coverage and asks for them again, until they are filled or have a reason. @module */
import { type GapState, isConclusive, nextTryMs } from "../market/gap.ts";
import { seriesName } from "../market/series.ts";
import { parseTimeframe } from "../market/timeframe.ts";
import { type Gap, noteGapAsked, readDueGaps, scanGaps } from "../store/gaps.ts";
import { StoreError } from "../store/store_error.ts";
import type { Archive } from "./archive.ts";
import type { ArchivedExchange } from "./archived_exchange.ts";
import { archivedTimeframes } from "./desire.ts";
import { isCancelled, reportSeriesFailure } from "./failure.ts";
import { ingestPage } from "./page.ts";
import { queuePages } from "./page_queue.ts";

/**
 * Gaps of one exchange that are asked for in one run. Each costs at least a request, which polls and backfill share
 * the exchange's pace with; the rest wait for the next run.
 */
export const REPAIRS_MAX = 50;

export interface RepairReport {
  /** Holes found in new coverage. */
  readonly found: number;
  /** Gaps asked for again. */
  readonly asked: number;
  /** Of those, filled now. */
  readonly filled: number;
  /** Of those, given a reason. */
  readonly concluded: number;
}

/** One run: looks through new coverage, then asks for the gaps that are due, on all exchanges at once. */
export async function repairGaps(
  archive: Archive,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<RepairReport> {
  let found = 0;
  for (const text of archivedTimeframes(archive.config)) {
    found += await scanGaps(archive.database, parseTimeframe(text));
  }
  const states = (await Promise.all(
    archive.exchanges.map((exchange) => repairExchange(archive, exchange, signal)),
  )).flat();
  const filled = states.filter((state) => state === "filled").length;
  const open = states.filter((state) => state === "suspected").length;
  return { found, asked: states.length, filled, concluded: states.length - filled - open };
}

async function repairExchange(
  archive: Archive,
  exchange: ArchivedExchange,
  signal: AbortSignal | undefined,
): Promise<readonly GapState[]> {
  const { database, clock } = archive;
  // Nothing can be asked before the exchange is prepared; polls do that.
  if (exchange.marketsLoadedAtMs === undefined) return [];
  const due = await readDueGaps(database, exchange.id, {
    nowMs: clock.now(),
    gapsMax: REPAIRS_MAX,
  });
  const states: GapState[] = [];
  for (const gap of due) {
    if (signal?.aborted) break;
    try {
      states.push(await repairGap(archive, exchange, gap, signal));
    } catch (error) {
      if (isCancelled(error, signal)) break;
      // An exchange that does not answer says nothing about the gap, which stays due.
      await reportSeriesFailure(archive, gap.series, error);
      if (error instanceof StoreError || !exchange.breaker.passes || isBanned(exchange, archive)) {
        break;
      }
    }
  }
  return states;
}

async function repairGap(
  archive: Archive,
  exchange: ArchivedExchange,
  gap: Gap,
  signal: AbortSignal | undefined,
): Promise<GapState> {
  const { database, clock, log } = archive;
  const { series, window, firstSeenMs } = gap;
  for (const page of queuePages([{ series, owed: [window] }], exchange.client.pageRowsMax)) {
    await ingestPage(archive, exchange, series, {
      window: page.window,
      priority: "backfill",
      signal,
    });
  }
  const nowMs = clock.now();
  const age = { untilMs: window.untilMs, firstSeenMs, nowMs, attempts: gap.attempts + 1 };
  const state = await noteGapAsked(database, gap, {
    nowMs,
    nextTryMs: nextTryMs(age),
    isConclusive: isConclusive(age),
  });
  log.debug("a gap was asked for again", {
    series: seriesName(series),
    state,
    attempts: age.attempts,
  });
  return state;
}

function isBanned({ client }: ArchivedExchange, { clock }: Archive): boolean {
  return clock.now() < client.bannedUntilMs;
}
