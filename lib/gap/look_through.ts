/** Brings the gaps up to date with the coverage, so that all views of the archive say the same. @module */
import type { Clock } from "../clock.ts";
import { seriesName } from "../market/series.ts";
import type { Database } from "../store/connection/database.ts";
import { readSettling } from "../store/capabilities.ts";
import { noteGapsAsked } from "../store/gap_note.ts";
import { readMissing } from "../store/gap_counts.ts";
import { readDueGaps, scanAllGaps } from "../store/gaps.ts";
import { beginAtRejected, readAllRejected } from "../store/rejected_gaps.ts";
import { takeBackUnconfirmed } from "../store/unconfirmed.ts";
import { readCheckpoints } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import { isConfigured, wantedOf } from "../archive/desire.ts";
import { noteWanted } from "../store/series_bounds.ts";
import { explainBounds, keptCoverage, missingInside } from "./account.ts";

/** Looks through the archive and notes what its settings want. A command that has fetched candles ends with it. */
export async function bringUpToDate(archive: Archive): Promise<void> {
  await lookThrough(archive);
  await explainBounds(archive);
}

/** Looks through an archive into which a file was imported. Its series keep what a run has wanted of them. */
export async function lookThroughImport(
  { config, database, clock }: Pick<Archive, "config" | "database" | "clock">,
): Promise<void> {
  await lookThrough({ database, clock });
  const strange = (await readCheckpoints(database)).filter((one) =>
    one.wanted === undefined && isConfigured(one, config)
  );
  const wanted = wantedOf(strange.map(({ series }) => series), config, {
    nowMs: clock.now(),
    settling: await readSettling(database, clock.now()),
  });
  await noteWanted(database, wanted);
}

/**
 * Looks for holes in new coverage of every series, and counts again what is missing in the gaps of those into which
 * candles have come without being asked for as a gap. Call it at the end of whatever changes the archive.
 *
 * @returns how many gaps were found.
 */
export async function lookThrough(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
): Promise<number> {
  const nowMs = clock.now();
  await takeBackUnconfirmed(database);
  await beginAtRejected(database);
  const found = await scanAllGaps(database, nowMs);
  await concludeRejected(database, nowMs);
  const missing = await readMissing(database);
  for (const checkpoint of await readCheckpoints(database)) {
    const { series } = checkpoint;
    const covered = keptCoverage(checkpoint);
    const holes = missingInside(checkpoint);
    const [first, last] = [covered[0], covered.at(-1)];
    const known = missing.get(seriesName(series)) ?? 0;
    if (first === undefined || last === undefined || known <= holes) continue;
    const window = { sinceMs: first.sinceMs, untilMs: last.untilMs };
    await noteGapsAsked(database, series, { window, notes: [], nowMs });
  }
  return found;
}

/** Gaps of one exchange that are judged in one look. A series of which all is rejected has few, and long ones. */
const GAPS_MAX = 1_000;

/**
 * Gives the gaps of series of which nothing but rejected rows ever came that reason, without asking again. Of a series that
 * has candles, a rejected one may be a mistake that passes.
 */
async function concludeRejected(database: Database, nowMs: number): Promise<void> {
  const rejected = Map.groupBy(await readAllRejected(database), ({ series }) => series.exchange);
  for (const [exchange, all] of rejected) {
    const series = all.map(({ series }) => series);
    for (
      const { series: one, window, attempts } of await readDueGaps(database, exchange, {
        series,
        nowMs,
        gapsMax: GAPS_MAX,
      })
    ) {
      // What a look did not conclude is left to those who ask: a look is no attempt, and counts as one only once.
      if (attempts > 0) continue;
      const note = { sinceMs: window.sinceMs, nextTryMs: nowMs };
      await noteGapsAsked(database, one, {
        window,
        notes: [{ ...note, isAnswered: true, isProvable: true, isConclusive: false }],
        nowMs,
      });
    }
  }
}
