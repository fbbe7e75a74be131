/** Compares what an archive says with what the exchange has. @module */
import { ALL_LEASES } from "../../lib/archive/leases.ts";
import type { Archive } from "../../lib/archive/archive.ts";
import { reachStartMs } from "../../lib/config/reach.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { closedCandles } from "../../lib/local_exchange/history.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { LocalCandle } from "../../lib/local_exchange/price_walk.ts";
import {
  addCandles,
  floorTime,
  parseTimeframe,
  type Timeframe,
} from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { type GapEntry, readGapEntries } from "../../lib/serve/gap_list.ts";
import { explainBounds } from "../../lib/gap/account.ts";
import { readStatus } from "../../lib/serve/status.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { disagreements } from "../support/archive_views.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import type { SecondMarket } from "./local_markets.ts";

/** Candles, but for what is told of them. */
export interface Verdict {
  /** The exchange has them, the archive does not. */
  readonly lost: number;
  /** With other values than the exchange's, or where it has none. */
  readonly wrong: number;
  readonly duplicated: number;
  /** Not there, and the archive has no final reason why. */
  readonly unexplained: number;
  /** Sentences about what status, gaps, the page and `ohlcv_explained` say differently. */
  readonly disagreeing: number;
  /** One line for each series that is not as it should be. */
  readonly findings: readonly string[];
}

export const SOUND: Verdict = {
  lost: 0,
  wrong: 0,
  duplicated: 0,
  unexplained: 0,
  disagreeing: 0,
  findings: [],
};

/** The reasons that end the search for a candle. */
const REASONS: ReadonlySet<string> = new Set([
  "no_trades",
  "exchange_outage",
  "before_listing",
  "retention",
  "rejected",
]);

export interface SeriesOfScene {
  /** CCXT id. */
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** Of what must be there. */
  readonly window: Window;
  /** Where the symbol has meant two markets. */
  readonly second?: SecondMarket | undefined;
  /** Whether the exchange gave a candle only while it was not final, so that it must not be there. @default none */
  readonly isTakenBack?: ((openTimeMs: number) => boolean) | undefined;
}

/** Judges one series of an archive at rest. */
export async function judgeSeries(
  { sql }: Database,
  local: LocalExchange,
  { exchange, symbol, timeframe, window, second, isTakenBack }: SeriesOfScene,
): Promise<Verdict> {
  const parsed = parseTimeframe(timeframe);
  const [since, until] = [new Date(window.sinceMs), new Date(window.untilMs)];
  const rows = await sql.unsafe<Row[]>(
    `select (extract(epoch from time) * 1000)::float8 as time, open::text, high::text, low::text, close::text,
            volume::text
     from ${candleTable(parsed)}
     where exchange = $1 and symbol = $2 and time >= $3 and time < $4`,
    [exchange, symbol, since, until],
  );
  const stored = new Map(rows.map((row) => [row.time, row]));
  const spans = await sql<Span[]>`
    select (extract(epoch from span_since) * 1000)::float8 as since_ms,
           (extract(epoch from span_until) * 1000)::float8 as until_ms, state, candles
    from ohlcv_explained(${timeframe}, ${exchange}, ${symbol}, ${since}, ${until})`;
  const isExplained = (timeMs: number): boolean =>
    spans.some((span) =>
      span.since_ms <= timeMs && timeMs < span.until_ms && REASONS.has(span.state)
    );
  const listed = await sql<{ market_id: string | null }[]>`
    select market_id from listings where exchange = ${exchange} and symbol = ${symbol} order by since`;
  const ids = listed.map(({ market_id }) => market_id);
  const truth = second === undefined
    ? truthOf(
      local.truth(symbol, parsed, window).filter(({ openTimeMs }) =>
        isTakenBack?.(openTimeMs) !== true
      ),
    )
    : truthOfTwo(second, { timeframe: parsed, window, ids });
  const lost = [...truth.must.keys()].filter((timeMs) =>
    // What a market had that is replaced cannot be asked for any more; then it is told so.
    !stored.has(timeMs) && !(truth.may !== undefined && isExplained(timeMs))
  );
  const wrong = [...stored].filter(([timeMs, row]) => {
    const candles = [truth.must.get(timeMs), truth.may?.get(timeMs)];
    return !candles.some((candle) =>
      candle !== undefined && NAMES.every((name) => isSame(row[name], candle[name]))
    );
  }).map(([timeMs]) => timeMs);
  const unexplained = spans.filter(({ state }) => state !== "stored" && !REASONS.has(state))
    .reduce((sum, { candles }) => sum + Number(candles), 0);
  const verdict = {
    lost: lost.length,
    wrong: wrong.length,
    duplicated: rows.length - stored.size,
    unexplained,
    disagreeing: 0,
  };
  if (Object.values(verdict).every((count) => count === 0)) return SOUND;
  const first = (times: readonly number[]): string =>
    times.length === 0 ? "" : ` (from ${new Date(Math.min(...times)).toISOString()})`;
  const states = spans.map(({ state, candles }) => `${state} ${candles}`).join(", ");
  const markets = second === undefined ? "" : `, listed as ${ids.join(", then ")}`;
  return {
    ...verdict,
    findings: [
      `${symbol} ${timeframe}${markets}: ${lost.length} lost${first(lost)}, ${wrong.length} wrong${
        first(wrong)
      }, ${verdict.duplicated} duplicated, ${unexplained} unexplained; ${states}`,
    ],
  };
}

/** Candles by open time: those that must be there, and others that are right where they are there. */
interface Truth {
  readonly must: ReadonlyMap<number, LocalCandle>;
  readonly may?: ReadonlyMap<number, LocalCandle>;
}

function truthOf(candles: readonly LocalCandle[]): Truth {
  return { must: new Map(candles.map((candle) => [candle.openTimeMs, candle])) };
}

/**
 * The market that was listed first is the series. Where it was replaced by the other one, candles after that are the
 * other one's, and only if the ledger knows that another market has begun.
 */
function truthOfTwo(
  { first, second, replacedAtMs }: SecondMarket,
  { timeframe, window, ids }: {
    readonly timeframe: Timeframe;
    readonly window: Window;
    /** Of the symbol's listings, oldest first. */
    readonly ids: readonly (string | null)[];
  },
): Truth {
  const candlesOf = (symbol: LocalSymbol): readonly LocalCandle[] =>
    closedCandles({ symbol, timeframe, silence: "omitted", nowMs: window.untilMs }, window);
  const isSecondFirst = ids[0] === second.id;
  if (isSecondFirst || replacedAtMs === undefined) {
    return truthOf(candlesOf(isSecondFirst ? second : first));
  }
  const later = ids.includes(second.id ?? null)
    ? candlesOf(second).filter(({ openTimeMs }) =>
      addCandles(timeframe, openTimeMs, 1) > replacedAtMs
    )
    : [];
  return {
    ...truthOf(candlesOf({ ...first, delistedAtMs: replacedAtMs })),
    may: new Map(later.map((candle) => [candle.openTimeMs, candle])),
  };
}

interface Span {
  readonly since_ms: number;
  readonly until_ms: number;
  readonly state: string;
  readonly candles: string;
}

/** Compares the four views of an archive at rest. */
export async function judgeViews(
  { config, database, clock }: Pick<Archive, "config" | "database" | "clock">,
): Promise<Verdict> {
  const nowMs = clock.now();
  // What is wanted moves with time: all views are compared by what is wanted at this moment.
  const still = { now: () => nowMs, sleep: clock.sleep.bind(clock) };
  await explainBounds({ config, database, clock: still, leases: ALL_LEASES });
  const gaps: GapEntry[] = [];
  for await (const page of readGapEntries(database)) for (const gap of page) gaps.push(gap);
  const apart = await disagreements(database, {
    status: await readStatus({ config, database, nowMs, newestCandlesMax }),
    gaps,
    nowMs,
    wantedSinceMs: (timeframe) => {
      const wanted = config.everywhere.backfill.find((entry) => entry.timeframe === timeframe);
      return wanted === undefined
        ? nowMs
        : floorTime(parseTimeframe(timeframe), reachStartMs(wanted.reach, nowMs));
    },
  });
  return { ...SOUND, disagreeing: apart.length, findings: apart };
}

/** Counts candles of streams of which no answer has told in the end. */
export async function judgeStreamed({ sql }: Database, untilMs: number): Promise<Verdict> {
  const named = await sql<{ text: string }[]>`
    select symbol || ' ' || timeframe || ' ' || time as text from streamed_candles
    where time < ${new Date(untilMs)} order by symbol, timeframe, time`;
  if (named.length === 0) return SOUND;
  const text = `${named.length} candles of streams are not confirmed, the first ${named[0]?.text}`;
  return { ...SOUND, unexplained: named.length, findings: [text] };
}

export function sumVerdicts(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((sum, one) => ({
    lost: sum.lost + one.lost,
    wrong: sum.wrong + one.wrong,
    duplicated: sum.duplicated + one.duplicated,
    unexplained: sum.unexplained + one.unexplained,
    disagreeing: sum.disagreeing + one.disagreeing,
    findings: [...sum.findings, ...one.findings],
  }), SOUND);
}

const NAMES = ["open", "high", "low", "close", "volume"] as const;

type Row = { readonly time: number } & Readonly<Record<(typeof NAMES)[number], string>>;

function isSame(a: string, b: string): boolean {
  return trimZeros(a) === trimZeros(b);
}

function trimZeros(decimal: string): string {
  return decimal.includes(".") ? decimal.replace(/\.?0+$/, "") : decimal;
}
