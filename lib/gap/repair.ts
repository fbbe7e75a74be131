/** Finds holes inside coverage and requests them again, until they are filled or have a reason. @module */
import { type Coverage, subtract, unite } from "../market/coverage.ts";
import { type GapState, isConclusive, isOpen, isProvable, nextTryMs } from "../market/gap.ts";
import { seriesName } from "../market/series.ts";
import { type GapNote, noteGapsAsked } from "../store/gap_note.ts";
import { type Gap, markRefetching, postponeGaps, readDueGaps } from "../store/gaps.ts";
import { StoreError } from "../store/connection/store_error.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isCancelled, isLost, reportSeriesFailure } from "../archive/failure.ts";
import { batchGaps, type GapBatch, withNeighbours } from "./gap_batch.ts";
import { explainBounds } from "./account.ts";
import { confirmEdges } from "./first_candle.ts";
import { lookThrough } from "./look_through.ts";
import { ingestPage } from "../fetch/page.ts";
import { queuePages } from "../fetch/page_queue.ts";
import { isRefusal, type RepairOptions, Stopped, wasHeldBack } from "./unasked.ts";

/**
 * Requests to one exchange in one run. They share its rate limit with polls and backfill. The other gaps wait for the
 * next run.
 */
const REPAIRS_MAX = 50;

/** Gaps of one exchange that are read in one run. A market with few trades has thousands of minutes without a trade. */
const GAPS_MAX = 5_000;

/**
 * How long gaps wait whose answer could not be noted, and all gaps of a series that the exchange refuses. Otherwise the
 * same gaps would come first in every run, and the others never.
 */
const SET_ASIDE_MS = 60 * 60_000;

interface RepairReport {
  /** Holes found in new coverage. */
  readonly found: number;
  /** Gaps requested again. */
  readonly asked: number;
  /** How many of the requested gaps are now filled. */
  readonly filled: number;
  /** How many of the requested gaps now have a reason. */
  readonly concluded: number;
}

/** One run: finds holes in new coverage, then requests the gaps that are due, from all exchanges concurrently. */
export async function repairGaps(
  archive: Archive,
  options: RepairOptions = {},
): Promise<RepairReport> {
  // Of several nodes the leader looks for holes of all. What it finds is repaired by whoever asks for the symbol.
  const look = (): Promise<number> =>
    archive.leases.isLeader ? lookThrough(archive) : Promise.resolve(0);
  const found = await look();
  const edges = await explainBounds(archive);
  const states = (await Promise.all(
    archive.exchanges.map(async (exchange) => {
      const own = edges.filter(({ series }) => series.exchange === exchange.id);
      await confirmEdges(archive, exchange, { edges: own, ...options });
      return await repairExchange(archive, exchange, options);
    }),
  )).flat();
  // Its own answers may reach beyond what was covered.
  await look();
  const filled = states.filter((state) => state === "filled").length;
  const open = states.filter(isOpen).length;
  return { found, asked: states.length, filled, concluded: states.length - filled - open };
}

async function repairExchange(
  archive: Archive,
  exchange: ArchivedExchange,
  { signal, onUnasked }: RepairOptions,
): Promise<readonly GapState[]> {
  const { database, clock } = archive;
  // Nothing can be requested before the markets are loaded; polls load them.
  if (exchange.markets.value === undefined) return [];
  const due = await readDueGaps(database, exchange.id, {
    series: exchange.series,
    nowMs: clock.now(),
    gapsMax: GAPS_MAX,
  });
  const batches = batchGaps(due, (series) => exchange.pageRowsMax(series));
  const states: GapState[] = [];
  const stopped = new Stopped(exchange);
  let asked = 0;
  for (const batch of batches) {
    if (signal?.aborted || asked === REPAIRS_MAX) break;
    const { series, gaps: { length: gaps } } = batch;
    if (!exchange.share.holds(series.symbol)) continue;
    const reason = stopped.reasonOf(series);
    if (reason !== undefined) {
      onUnasked?.({ series, gaps, error: reason });
      continue;
    }
    asked++;
    try {
      const onStates = (came: readonly GapState[]): void => {
        for (const state of came) states.push(state);
      };
      await repairBatch(archive, exchange, { batch, signal, onStates });
    } catch (error) {
      if (signal?.aborted || !exchange.work.isOpen) break;
      if (isLost(error)) continue;
      if (wasHeldBack(error)) asked--;
      stopped.note(series, error);
      onUnasked?.({ series, gaps, error });
      await reportSeriesFailure(archive, series, error);
      if (isRefusal(error)) await postponeGaps(database, series, clock.now() + SET_ASIDE_MS);
    }
  }
  return states;
}

async function repairBatch(
  archive: Archive,
  exchange: ArchivedExchange,
  { batch, signal, onStates }: {
    readonly batch: GapBatch;
    readonly signal: AbortSignal | undefined;
    /** Called with the states of the gaps that were answered, also when others were not. */
    readonly onStates: (states: readonly GapState[]) => void;
  },
): Promise<void> {
  const { database, clock, log } = archive;
  const { series, window, gaps } = batch;
  const sincesMs = gaps.map((gap) => gap.window.sinceMs);
  // Not due at once if the answer cannot be noted.
  const asideMs = clock.now() + SET_ASIDE_MS;
  await markRefetching(database, series, { sincesMs, isAsking: true, nextTryMs: asideMs });
  let answered: Coverage = [];
  const note = async (asked: readonly Gap[]): Promise<readonly GapState[]> => {
    const nowMs = clock.now();
    const notes = asked.map((gap) => noteOf(gap, { answered, nowMs }));
    return await noteGapsAsked(database, series, { notes, nowMs });
  };
  const rowsMax = exchange.pageRowsMax(series);
  try {
    // A page that begins or ends in a gap looks like one that was cut there. If it also holds the candles beside the
    // gaps, it was not cut. If it does not, the second round requests what the first one left unanswered.
    for (const asked of [withNeighbours(batch), window]) {
      const owed = subtract([asked], answered);
      const pages = queuePages([{ series, owed }], () => rowsMax);
      for (const window of pages.flatMap(({ owed }) => owed)) {
        await ingestPage(archive, exchange, series, {
          window,
          priority: "backfill",
          signal,
          onStored: (part) => answered = unite(answered, part.answered),
        });
      }
    }
    log.debug("gaps were asked for again", { series: seriesName(series), gaps: gaps.length });
    onStates(await note(gaps));
  } catch (error) {
    if (error instanceof StoreError || isCancelled(error, signal)) {
      // Of a symbol that another node has now they are due at once, for that one.
      const nextTryMs = error instanceof StoreError && !isLost(error) ? asideMs : clock.now();
      await markRefetching(database, series, { sincesMs, isAsking: false, nextTryMs });
    } else {
      const isTold = (gap: Gap): boolean => subtract([gap.window], answered).length === 0;
      await note(gaps.filter((gap) => !isTold(gap)));
      onStates(await note(gaps.filter(isTold)));
    }
    throw error;
  }
}

function noteOf(
  gap: Gap,
  { answered, nowMs }: { readonly answered: Coverage; readonly nowMs: number },
): GapNote {
  // An answer that did not reach the gap proves nothing about it, so it must not lead to a reason.
  const isAnswered = subtract([gap.window], answered).length === 0;
  const age = {
    untilMs: gap.window.untilMs,
    firstSeenMs: gap.firstSeenMs,
    nowMs,
    attempts: gap.attempts + (isAnswered ? 1 : 0),
  };
  return {
    sinceMs: gap.window.sinceMs,
    nextTryMs: nextTryMs(age),
    isAnswered,
    isProvable: isProvable(age),
    isConclusive: isConclusive(age),
  };
}
