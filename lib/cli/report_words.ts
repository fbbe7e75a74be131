/** What a report says in words: its verdict, the reasons of gaps, the rule for outliers. @module */
import type { GapState } from "../market/gap.ts";
import type { GapReasons } from "../market/gap_reasons.ts";
import { byteText } from "../text/bytes.ts";
import type { Report } from "../report/document.ts";
import { count, duration, minute } from "./text.ts";

/** Each state of a gap in words. */
const STATES: Readonly<Record<GapState, string>> = {
  suspected: "missing, fetched again",
  refetching: "missing, being fetched",
  filled: "filled",
  no_trades: "no trades",
  exchange_outage: "exchange outage",
  before_listing: "before listing",
  retention: "gone at the exchange",
  rejected: "rejected",
};

export function stateWords(state: GapState): string {
  return STATES[state];
}

/** `4,000 before the listing, 12 nobody traded`, most first. */
export function reasonWords(reasons: GapReasons): string {
  return Object.entries(reasons).sort(([, one], [, other]) => other - one)
    .map(([reason, candles]) => `${count(candles)} ${STATES[reason as GapState]}`).join(", ");
}

/** A share in percent. What is not complete is never 100.00 %. */
export function percent(part: number, whole: number): string {
  if (whole === 0) return "–";
  return `${(Math.floor((part / whole) * 10_000 + 1e-9) / 100).toFixed(2)} %`;
}

/** A change of a price, with its sign if it has a direction. */
export function priceChange(percent: number, { isSigned = false } = {}): string {
  const size = Math.abs(percent);
  const text = size >= 1_000 ? count(size) : size >= 10 ? size.toFixed(1) : size.toPrecision(2);
  const sign = isSigned ? (percent < 0 ? "−" : "+") : "";
  return `${sign}${text} %`;
}

/** The verdict, one sentence each. */
export function verdictOf({ total, archive }: Report): readonly string[] {
  const { wanted, there, explained, owed, missing, reasons } = total;
  if (archive.series === 0) return ["No series yet: run titan10 backfill or titan10 run."];
  if (wanted === 0) return ["Nothing is wanted in this range."];
  const open = [
    ...owed > 0 ? [`${count(owed)} not fetched yet`] : [],
    ...missing > 0 ? [`${count(missing)} missing without a reason so far`] : [],
  ];
  return [
    `${count(there)} of ${count(wanted)} wanted candles are there (${percent(there, wanted)}).`,
    explained === 0
      ? "No candle is missing for a reason."
      : `${count(explained)} are explained: ${reasonWords(reasons)}.`,
    open.length === 0 ? "None is open." : `${count(owed + missing)} are open: ${open.join(", ")}.`,
  ];
}

/** What the archive is, one line each. */
export function archiveWords({ version, at, archive, asked }: Report): readonly string[] {
  const { database, postgresql, timescaledb, made, first, last } = archive;
  const extension = timescaledb === null ? "without TimescaleDB" : `TimescaleDB ${timescaledb}`;
  const filters = [asked.exchanges, asked.symbols, asked.timeframes]
    .filter((names) => names.length > 0).map((names) => names.join(", "));
  if (asked.since !== null) filters.push(`from ${minute(asked.since)}`);
  if (asked.until !== null) filters.push(`to before ${minute(asked.until)}`);
  return [
    `titan10 ${version}, ${database} database, PostgreSQL ${postgresql}, ${extension}`,
    `${count(archive.candles)} candles of ${count(archive.series)} series in ${
      byteText(archive.bytes)
    }${made === null ? "" : `, kept since ${minute(made)}`}`,
    ...first === null ? [] : [`first candle ${minute(first)}, newest ${minute(last)}`],
    `made at ${minute(at)} UTC${filters.length === 0 ? "" : `, only ${filters.join("; ")}`}`,
  ];
}

/** So many series are named of which most candles are outliers. */
const STRANGERS_MAX = 3;

/** How prices were compared, and of which time. */
export function comparisonWords({ comparison }: Report): readonly string[] {
  const { rule, timeframes } = comparison;
  if (timeframes.length === 0) {
    return [`No symbol is archived from ${rule.exchangesMin} exchanges or more at the same time.`];
  }
  // Prices of one coin do not differ at every moment.
  const strangers = comparison.series.filter(({ outliers, compared }) => outliers > compared / 2);
  return [
    `An outlier is further from the median of the other exchanges than ${rule.deviations} times ` +
    `their robust standard deviation, and than ${rule.closeFloorPercent} % for a close or ` +
    `${rule.extremeFloorPercent} % for a high or low. Compared are candles of one symbol and ` +
    `moment, with volume, from at least ${rule.exchangesMin} exchanges.`,
    ...timeframes.map(({ timeframe, symbols, since, until, isWhole }) =>
      since === null
        ? `${timeframe}: not compared, there was no time left (--timeout).`
        : `${timeframe}: ${count(symbols)} ${symbols === 1 ? "symbol" : "symbols"}, ${
          minute(since)
        } to ${minute(until)}${isWhole ? "." : "; for older candles, raise --timeout."}`
    ),
    ...strangers.slice(0, STRANGERS_MAX).map((one) =>
      `${one.exchange} ${one.symbol} ${one.timeframe} lies apart at ${outlierRate(one)} of its ` +
      "moments: is it the same coin there, in the same unit?"
    ),
  ];
}

/** A share of outliers, in percent. */
export function outlierRate(
  { outliers, compared }: { readonly outliers: number; readonly compared: number },
): string {
  return compared === 0 ? "–" : `${((100 * outliers) / compared).toFixed(3)} %`;
}

/** `3 d 4 h`, and years of longer times. */
export function spanWords(seconds: number): string {
  const days = seconds / 86_400;
  return days < 1_000 ? duration(seconds) : `${(days / 365.25).toFixed(1)} years`;
}

/** `1,000 revisions: …`. */
export function revisionWords({ revisions }: Report): string {
  const { sizes, volumeOnly, takenBack } = revisions;
  if (revisions.revisions === 0) return "No stored candle was revised.";
  const named = sizes.map(({ belowPercent, revisions }, at) => {
    const from = sizes[at - 1]?.belowPercent;
    const size = belowPercent === null
      ? `${from} % or more`
      : from === undefined
      ? `less than ${belowPercent} %`
      : `${from} to ${belowPercent} %`;
    return [revisions, `changed a price by ${size}`] as const;
  });
  const parts = [
    ...named,
    [volumeOnly, "changed the volume alone"] as const,
    [
      takenBack,
      "took back a candle that was not final",
    ] as const,
  ].filter(([candles]) => candles > 0);
  return `${count(revisions.revisions)} revisions: ${
    parts.map(([candles, what]) => `${count(candles)} ${what}`).join(", ")
  }.`;
}

/** The sizes of lists that are cut. */
export function moreWords(more: number, what: string): string {
  return `and ${count(more)} more ${what}: --json lists them`;
}
