/** What an archive keeps of candles that were revised or failed the checks. @module */
import type { SeriesAccount } from "../gap/account.ts";
import type { Window } from "../market/window.ts";
import type { Database } from "../store/connection/database.ts";
import {
  readRejected,
  readRevisions,
  type RejectedRows,
  type RevisedSeries,
  type Revision,
  REVISION_PERCENTS,
} from "../store/report.ts";
import { iso, isoOrNull, named, type Report } from "./document.ts";

/** Samples of rejected rows, of each reason. */
const REJECTED_SAMPLES = 3;

/** Reads the evidence of some series. The lists of single candles have at most `listMax`. @yields what it does. */
export async function* readEvidence(
  database: Database,
  accounts: readonly SeriesAccount[],
  { window, listMax }: { readonly window: Window; readonly listMax: number },
): AsyncGenerator<string, Pick<Report, "revisions" | "rejected">> {
  let revised: readonly RevisedSeries[] = [];
  let largest: readonly Revision[] = [];
  const rejected = new Map<string, RejectedRows>();
  const groups = Map.groupBy(
    accounts.map(({ series }) => series),
    ({ exchange, timeframe }) => `${exchange} ${timeframe.text}`,
  );
  for (const [name, group] of groups) {
    const { exchange, timeframe } = group[0]!;
    const part = { exchange, timeframe, symbols: group.map(({ symbol }) => symbol), window };
    const read = await readRevisions(database, part, { largestMax: listMax });
    revised = [...revised, ...read.series];
    largest = [...largest, ...read.largest]
      .sort((one, other) => other.percent - one.percent).slice(0, listMax);
    for (const rows of await readRejected(database, part, { samplesMax: REJECTED_SAMPLES })) {
      const before = rejected.get(rows.reason);
      rejected.set(rows.reason, {
        reason: rows.reason,
        rows: rows.rows + (before?.rows ?? 0),
        times: rows.times + (before?.times ?? 0),
        samples: [...before?.samples ?? [], ...rows.samples].slice(0, REJECTED_SAMPLES),
      });
    }
    yield `reading what was revised or rejected: ${name}`;
  }
  return {
    revisions: revisionsOf(revised, largest),
    rejected: [...rejected.values()].sort((one, other) => other.rows - one.rows)
      .map(({ samples, ...counts }) => ({
        ...counts,
        samples: samples.map(({ series, timeMs, answered }) => ({
          ...named(series),
          time: isoOrNull(timeMs),
          answered,
        })),
      })),
  };
}

function revisionsOf(
  revised: readonly RevisedSeries[],
  largest: readonly Revision[],
): Report["revisions"] {
  const sum = (of: (one: RevisedSeries) => number): number =>
    revised.reduce((total, one) => total + of(one), 0);
  return {
    revisions: sum(({ revisions }) => revisions),
    volumeOnly: sum(({ volumeOnly }) => volumeOnly),
    takenBack: sum(({ takenBack }) => takenBack),
    sizes: [...REVISION_PERCENTS, null].map((belowPercent, at) => ({
      belowPercent,
      revisions: sum(({ sizes }) => sizes[at] ?? 0),
    })),
    series: revised.map(({ series, revisions, largestPercent }) => ({
      ...named(series),
      revisions,
      largestPercent: largestPercent ?? null,
    })).sort((one, other) => other.revisions - one.revisions),
    largest: largest.map(({ series, timeMs, revisedMs, ...change }) => ({
      ...named(series),
      time: iso(timeMs),
      revisedAt: iso(revisedMs),
      ...change,
    })),
  };
}
