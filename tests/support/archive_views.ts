/** The views of an archive: where they disagree, candle by candle. @module */
import { readCandlesDocument, readExplainedDocument } from "../../lib/serve/chart_answer.ts";
import { type GapEntry } from "../../lib/serve/gap_list.ts";
import type { SeriesStatus, Status } from "../../lib/serve/status.ts";
import type { Report } from "../../lib/report/document.ts";
import { isOpen } from "../../lib/market/gap.ts";
import {
  addCandles,
  closedUntil,
  parseTimeframe,
  type Timeframe,
} from "../../lib/market/timeframe.ts";
import type { Series } from "../../lib/market/series.ts";
import { readSettling } from "../../lib/store/capabilities.ts";
import { readExplainedSpans } from "../../lib/store/chart.ts";
import type { Database } from "../../lib/store/connection/database.ts";

/** What commands have printed, and from when on each series is wanted. */
export interface PrintedViews {
  readonly status: Pick<Status, "series">;
  readonly gaps: readonly GapEntry[];
  /** Where it was printed. */
  readonly report?: Pick<Report, "series">;
  readonly nowMs: number;
  readonly wantedSinceMs: (timeframe: string, symbol: string) => number;
}

type State = string;
type States = ReadonlyMap<number, State>;

/** Whether there is a candle: a provisional one is stored, too. */
function isStored(state: State | undefined): boolean {
  return state === "stored" || state === "provisional";
}

/** As much as the page's data may be asked for at once. */
const PAGE_CANDLES = 2_000;

/** One sentence a disagreement: `status` and `gaps` as printed, the page's data and the function in SQL as read here. */
export async function disagreements(
  database: Database,
  { status, gaps, report, nowMs, wantedSinceMs }: PrintedViews,
): Promise<readonly string[]> {
  const found: string[] = [];
  const settling = await readSettling(database, nowMs);
  for (const counts of status.series) {
    const series = { ...counts, timeframe: parseTimeframe(counts.timeframe) };
    const own = gaps.filter((gap) =>
      gap.exchange === counts.exchange && gap.symbol === counts.symbol &&
      gap.timeframe === counts.timeframe
    );
    const wantedMs = wantedSinceMs(counts.timeframe, counts.symbol);
    const starts = [counts.first, ...own.map(({ since }) => since)].map((time) =>
      time === null ? Infinity : Date.parse(time)
    );
    const window = {
      sinceMs: starts.reduce((least, ms) => Math.min(least, ms), wantedMs),
      untilMs: closedUntil(series.timeframe, nowMs),
    };
    const explained = statesOf(
      series.timeframe,
      await readExplainedSpans(database, series, window),
    );
    const listed = gapStates(series.timeframe, own, explained);
    const missing = own.reduce((sum, gap) => sum + gap.missing, 0);
    const page = await readPage(database, series, { ...window, nowMs });
    const complaints = [
      ...differences("the page", page.explained, explained),
      ...differences("the chart", page.stored, only(explained, isStored)),
      ...differences("gaps", listed, gapOnly(explained)),
      // Gaps that overlap count a candle twice.
      ...(missing === listed.size
        ? []
        : [`gaps: ${missing} candles are missing, ${listed.size} in their windows`]),
      ...(report === undefined ? [] : reportApart(counts, report)),
      ...countsApart(counts, explained, {
        sinceMs: wantedMs,
        untilMs: closedUntil(
          series.timeframe,
          nowMs - settling(counts.exchange),
        ),
      }),
    ];
    found.push(
      ...complaints.map((text) =>
        `${counts.exchange} ${counts.symbol} ${counts.timeframe}: ${text}`
      ),
    );
  }
  return found;
}

function statesOf(
  timeframe: Timeframe,
  spans: readonly { sinceMs: number; untilMs: number; state: State }[],
): States {
  const states = new Map<number, State>();
  for (const { sinceMs, untilMs, state } of spans) {
    for (let ms = sinceMs; ms < untilMs; ms = addCandles(timeframe, ms, 1)) states.set(ms, state);
  }
  return states;
}

/** `/explained` and `/candles`, a piece at a time. */
async function readPage(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  window: { readonly sinceMs: number; readonly untilMs: number; readonly nowMs: number },
): Promise<{ readonly explained: States; readonly stored: States }> {
  const explained = new Map<number, State>();
  const stored = new Map<number, State>();
  for (let sinceMs = window.sinceMs; sinceMs < window.untilMs;) {
    const untilMs = Math.min(window.untilMs, addCandles(timeframe, sinceMs, PAGE_CANDLES));
    const asked = {
      exchange,
      symbol,
      timeframe: timeframe.text,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    };
    const { spans } = await readExplainedDocument(database, new URLSearchParams(asked));
    const times = spans.map(({ since, until, state }) => ({
      sinceMs: Date.parse(since),
      untilMs: Date.parse(until),
      state,
    }));
    for (const [ms, state] of statesOf(timeframe, times)) explained.set(ms, state);
    const query = new URLSearchParams({ ...asked, limit: String(PAGE_CANDLES) });
    const { candles } = await readCandlesDocument(database, query, { nowMs: window.nowMs });
    for (const { time, provisional } of candles) {
      stored.set(Date.parse(time), provisional ? "provisional" : "stored");
    }
    sinceMs = untilMs;
  }
  return { explained, stored };
}

/** What is missing inside gaps, by candle. The window of a gap may hold candles that came later. */
function gapStates(timeframe: Timeframe, gaps: readonly GapEntry[], explained: States): States {
  const spans = gaps.map(({ since, until, state }) => ({
    sinceMs: Date.parse(since),
    untilMs: Date.parse(until),
    state,
  }));
  return new Map(
    [...statesOf(timeframe, spans)].filter(([ms]) => !isStored(explained.get(ms))),
  );
}

function gapOnly(explained: States): States {
  return only(
    explained,
    (state) => !isStored(state) && !["owed", "expired", "ended", "outside_range"].includes(state),
  );
}

function only(states: States, isWanted: (state: State) => boolean): States {
  return new Map([...states].filter(([, state]) => isWanted(state)));
}

/** The first time at which a view says something else than `ohlcv_explained`, and how often it does. */
function differences(view: string, said: States, explained: States): readonly string[] {
  const times = [...new Set([...said.keys(), ...explained.keys()])]
    .filter((ms) => said.get(ms) !== explained.get(ms)).sort((a, b) => a - b);
  const [first] = times;
  if (first === undefined) return [];
  const [a, b] = [said.get(first) ?? "nothing", explained.get(first) ?? "nothing"];
  return [
    `${view}: ${times.length} candles differ, the first at ${
      new Date(first).toISOString()
    }: it says ${a}, ohlcv_explained says ${b}`,
  ];
}

/** The counts of `report` against those of `status`. */
function reportApart(
  { exchange, symbol, timeframe, candles, owed, missing, reasons }: SeriesStatus,
  { series }: Pick<Report, "series">,
): readonly string[] {
  const said = series.find((one) =>
    one.exchange === exchange && one.symbol === symbol && one.timeframe === timeframe
  );
  const texts = [said, { there: candles, owed, missing, reasons }].map((counts) =>
    JSON.stringify([
      counts?.there,
      counts?.owed,
      counts?.missing,
      Object.entries(counts?.reasons ?? {}).toSorted(),
    ])
  );
  return texts[0] === texts[1] ? [] : [`report: ${texts[0]}, and status says ${texts[1]}`];
}

/** The counts of `status` against those of `ohlcv_explained`. */
function countsApart(
  { candles, owed, missing, explained, reasons }: SeriesStatus,
  states: States,
  due: { readonly sinceMs: number; readonly untilMs: number },
): readonly string[] {
  const counted = new Map<State, number>();
  for (const [ms, state] of states) {
    // What nobody asks for is not owed, nor is what may still change.
    if (state === "owed" && (ms < due.sinceMs || ms >= due.untilMs)) continue;
    counted.set(state, (counted.get(state) ?? 0) + 1);
  }
  const take = (state: State): number => {
    const count = counted.get(state) ?? 0;
    counted.delete(state);
    return count;
  };
  const stored = take("stored") + take("provisional");
  const owing = take("owed");
  take("expired");
  take("ended");
  take("outside_range");
  const open = [...counted.keys()].filter((state) => isOpen(state as GapEntry["state"]))
    .reduce((sum, state) => sum + take(state), 0);
  const pairs: [string, number, number][] = [
    ["candles", candles, stored],
    ["owed", owed, owing],
    ["missing", missing, open],
    ["explained", explained, counted.values().reduce((sum, count) => sum + count, 0)],
  ];
  for (const state of new Set([...Object.keys(reasons), ...counted.keys()])) {
    const said = (reasons as Readonly<Record<string, number>>)[state] ?? 0;
    pairs.push([state, said, counted.get(state) ?? 0]);
  }
  return pairs.filter(([, said, count]) => said !== count).map(([name, said, count]) =>
    `status: ${name} ${said}, ohlcv_explained has ${count}`
  );
}
