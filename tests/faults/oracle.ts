/** Compares what an archive says with what the exchange has. @module */
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Window } from "../../lib/market/window.ts";
import { candleTable } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import type { LocalExchange } from "../support/local_exchange/faulty_exchange.ts";

/** Candles, but for what is told of them. */
export interface Verdict {
  /** The exchange has them, the archive does not. */
  readonly lost: number;
  /** With other values than the exchange's, or where it has none. */
  readonly wrong: number;
  readonly duplicated: number;
  /** Not there, and the archive has no final reason why. */
  readonly unexplained: number;
  /** One line for each series that is not as it should be. */
  readonly findings: readonly string[];
}

export const SOUND: Verdict = { lost: 0, wrong: 0, duplicated: 0, unexplained: 0, findings: [] };

/** The reasons that end the search for a candle. */
const REASONS: ReadonlySet<string> = new Set([
  "no_trades",
  "exchange_outage",
  "before_listing",
  "retention",
  "rejected",
]);

export interface SeriesOfScene {
  readonly symbol: string;
  readonly timeframe: string;
  /** Of what must be there. */
  readonly window: Window;
}

/** Judges one series of an archive at rest. */
export async function judgeSeries(
  { sql }: Database,
  exchange: LocalExchange,
  { symbol, timeframe, window }: SeriesOfScene,
): Promise<Verdict> {
  const parsed = parseTimeframe(timeframe);
  const [since, until] = [new Date(window.sinceMs), new Date(window.untilMs)];
  const rows = await sql.unsafe<Row[]>(
    `select (extract(epoch from time) * 1000)::float8 as time, open::text, high::text, low::text, close::text,
            volume::text
     from ${candleTable(parsed)}
     where exchange = 'binance' and symbol = $1 and time >= $2 and time < $3`,
    [symbol, since, until],
  );
  const stored = new Map(rows.map((row) => [row.time, row]));
  const truth = new Map(
    exchange.truth(symbol, parsed, window).map((candle) => [candle.openTimeMs, candle]),
  );
  const lost = [...truth.keys()].filter((timeMs) => !stored.has(timeMs));
  const wrong = [...stored].filter(([timeMs, row]) => {
    const candle = truth.get(timeMs);
    return candle === undefined || NAMES.some((name) => !isSame(row[name], candle[name]));
  }).map(([timeMs]) => timeMs);
  const spans = await sql<{ state: string; candles: string }[]>`
    select state, candles from ohlcv_explained(${timeframe}, 'binance', ${symbol}, ${since}, ${until})`;
  const unexplained = spans.filter(({ state }) => state !== "stored" && !REASONS.has(state))
    .reduce((sum, { candles }) => sum + Number(candles), 0);
  const verdict = {
    lost: lost.length,
    wrong: wrong.length,
    duplicated: rows.length - stored.size,
    unexplained,
  };
  if (Object.values(verdict).every((count) => count === 0)) return SOUND;
  const first = (times: readonly number[]): string =>
    times.length === 0 ? "" : ` (from ${new Date(Math.min(...times)).toISOString()})`;
  const states = spans.map(({ state, candles }) => `${state} ${candles}`).join(", ");
  return {
    ...verdict,
    findings: [
      `${symbol} ${timeframe}: ${lost.length} lost${first(lost)}, ${wrong.length} wrong${
        first(wrong)
      }, ${verdict.duplicated} duplicated, ${unexplained} unexplained; ${states}`,
    ],
  };
}

export function sumVerdicts(verdicts: readonly Verdict[]): Verdict {
  return verdicts.reduce((sum, one) => ({
    lost: sum.lost + one.lost,
    wrong: sum.wrong + one.wrong,
    duplicated: sum.duplicated + one.duplicated,
    unexplained: sum.unexplained + one.unexplained,
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
