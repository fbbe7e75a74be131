/** Reads gaps and revisions page by page, for `titan10 export --what gaps` and `--what revisions`. @module */
import { isOpen } from "../market/gap.ts";
import type { Series } from "../market/series.ts";
import type { Database } from "../store/connection/database.ts";
import { readGapPages } from "../store/gaps.ts";
import {
  readAllSeries,
  readRevisionPage,
  type Revision,
  REVISION_PAGE_ROWS_MAX,
} from "../store/revisions.ts";
import { unknownNames } from "../text/unknown_names.ts";
import { type ExportRequest, isWanted } from "./candle_export.ts";
import type { RecordColumn, RecordRow } from "./record_file.ts";

/** Which to export. An empty list means all. Times are milliseconds, half-open. */
export interface RecordExportRequest extends
  Pick<
    ExportRequest,
    "exchanges" | "symbols" | "timeframes" | "sinceMs" | "untilMs"
  > {
  readonly what: "gaps" | "revisions";
}

/** Rows with the columns of {@linkcode RECORD_COLUMNS}. */
export interface RecordPage {
  readonly records: readonly RecordRow[];
}

const SERIES = [
  { name: "exchange", type: "text" },
  { name: "symbol", type: "text" },
  { name: "timeframe", type: "text" },
] as const;

const VALUES = ["open", "high", "low", "close", "volume"] as const;

/** The columns of each kind of rows. */
export const RECORD_COLUMNS: Readonly<
  Record<RecordExportRequest["what"], readonly RecordColumn[]>
> = {
  gaps: [
    ...SERIES,
    { name: "since", type: "time" },
    { name: "until", type: "time" },
    { name: "state", type: "text" },
    { name: "missing", type: "count" },
    { name: "attempts", type: "count" },
    { name: "first_seen", type: "time" },
    { name: "last_try", type: "time", isOptional: true },
    { name: "next_try", type: "time", isOptional: true },
  ],
  revisions: [
    ...SERIES,
    { name: "time", type: "time" },
    { name: "revised_at", type: "time" },
    ...VALUES.map((name): RecordColumn =>
      name === "volume" ? { name, type: "value", isOptional: true } : { name, type: "value" }
    ),
    ...VALUES.map((name): RecordColumn => ({
      name: `new_${name}`,
      type: "value",
      isOptional: true,
    })),
    { name: "import_id", type: "count", isOptional: true },
    { name: "number", type: "count" },
  ],
};

/**
 * Reads the requested rows, series by series, oldest first. No page is empty.
 *
 * @throws Error when the archive has no such series.
 * @throws StoreError
 */
export async function* recordPages(
  database: Database,
  request: RecordExportRequest,
): AsyncGenerator<RecordPage, void> {
  const chosen = choose(await readAllSeries(database), request);
  const pages = request.what === "gaps" ? gapRows : revisionRows;
  for await (const records of pages(database, chosen, request)) {
    if (records.length > 0) yield { records };
  }
}

function choose(
  stored: readonly Series[],
  { exchanges, symbols, timeframes }: RecordExportRequest,
): readonly Series[] {
  const names = stored.map((series) => ({ ...series, timeframe: series.timeframe.text }));
  const problem = stored.length === 0
    ? "The archive has no series yet"
    : unknownNames(names, { exchange: exchanges, symbol: symbols, timeframe: timeframes });
  if (problem !== undefined) throw new Error(`Cannot export. ${problem}`);
  return stored.filter(({ exchange, symbol, timeframe }) =>
    isWanted(exchanges, exchange) && isWanted(symbols, symbol) &&
    isWanted(timeframes, timeframe.text)
  );
}

/** Gaps that reach into the range, whole. */
async function* gapRows(
  database: Database,
  _chosen: readonly Series[],
  { exchanges, symbols, timeframes, sinceMs, untilMs }: RecordExportRequest,
): AsyncGenerator<readonly RecordRow[], void> {
  for await (const gaps of readGapPages(database)) {
    yield gaps
      .filter(({ series: { exchange, symbol, timeframe }, window }) =>
        isWanted(exchanges, exchange) && isWanted(symbols, symbol) &&
        isWanted(timeframes, timeframe.text) &&
        window.untilMs > (sinceMs ?? -Infinity) && window.sinceMs < (untilMs ?? Infinity)
      )
      .map(({ series, window, state, missing, attempts, ...times }) => [
        ...namesOf(series),
        ...[window.sinceMs, window.untilMs, state, missing, attempts],
        times.firstSeenMs,
        times.lastTryMs ?? null,
        isOpen(state) ? times.nextTryMs : null,
      ]);
  }
}

async function* revisionRows(
  database: Database,
  chosen: readonly Series[],
  { sinceMs, untilMs }: RecordExportRequest,
): AsyncGenerator<readonly RecordRow[], void> {
  for (const series of chosen) {
    let page: readonly Revision[] = [];
    do {
      const after = page.at(-1);
      page = await readRevisionPage(database, series, { sinceMs, untilMs, after });
      yield page.map((revision) => [
        ...namesOf(series),
        ...[revision.openTimeMs, revision.revisedAtMs],
        ...revision.values,
        ...revision.newValues,
        ...[revision.importId, revision.number],
      ]);
    } while (page.length === REVISION_PAGE_ROWS_MAX);
  }
}

function namesOf({ exchange, symbol, timeframe }: Series): readonly string[] {
  return [exchange, symbol, timeframe.text];
}
