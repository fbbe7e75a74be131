/** The document of a report, as `titan10 report --json` prints it. @module */
import type { GapState } from "../market/gap.ts";
import type { GapReasons } from "../market/gap_reasons.ts";
import type { Series } from "../market/series.ts";
import type { OUTLIER_RULE } from "../store/outliers.ts";
import type { Revision } from "../store/report.ts";
import type { Completeness } from "./completeness.ts";

/** What to report on. An empty list means all. Times are milliseconds, half-open. */
export interface ReportRequest {
  readonly exchanges: readonly string[];
  readonly symbols: readonly string[];
  readonly timeframes: readonly string[];
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  /** The comparison of prices ends after this time. Milliseconds. */
  readonly timeoutMs: number;
}

/** A series by its names. */
export interface NamedSeries {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
}

/** Counts of outliers. */
export interface Compared {
  readonly compared: number;
  readonly outliers: number;
  readonly closes: number;
  readonly highs: number;
  readonly lows: number;
}

/** The report. Times are ISO 8601 UTC; counts are candles. See docs/report.md. */
export interface Report {
  readonly version: string;
  readonly at: string;
  readonly archive: {
    readonly database: "embedded" | "server";
    readonly postgresql: string;
    readonly timescaledb: string | null;
    readonly bytes: number;
    readonly made: string | null;
    readonly first: string | null;
    readonly last: string | null;
    readonly series: number;
    readonly candles: number;
  };
  readonly asked: {
    readonly exchanges: readonly string[];
    readonly symbols: readonly string[];
    readonly timeframes: readonly string[];
    readonly since: string | null;
    readonly until: string | null;
  };
  readonly total: Completeness;
  readonly exchanges: readonly (Completeness & {
    readonly exchange: string;
    readonly series: number;
    readonly first: string | null;
    readonly last: string | null;
  })[];
  readonly series: readonly (Completeness & NamedSeries & {
    readonly first: string | null;
    readonly last: string | null;
  })[];
  readonly gaps: {
    readonly states: readonly {
      readonly state: GapState;
      readonly gaps: number;
      readonly candles: number;
      readonly seconds: number;
    }[];
    readonly longest: readonly (NamedSeries & {
      readonly since: string;
      readonly until: string;
      readonly state: GapState;
      readonly missing: number;
    })[];
  };
  readonly days: readonly {
    readonly day: string;
    readonly wanted: number;
    readonly there: number;
    readonly missing: number;
    readonly reasons: GapReasons;
  }[];
  readonly revisions: {
    readonly revisions: number;
    readonly volumeOnly: number;
    readonly takenBack: number;
    /** Revisions of a price; `belowPercent` is null for the largest ones. */
    readonly sizes: readonly { readonly belowPercent: number | null; readonly revisions: number }[];
    readonly series: readonly (NamedSeries & {
      readonly revisions: number;
      readonly largestPercent: number | null;
    })[];
    readonly largest: readonly (NamedSeries & {
      readonly time: string;
      readonly revisedAt: string;
      readonly field: Revision["field"];
      readonly older: string;
      readonly newer: string;
      readonly percent: number;
    })[];
  };
  readonly rejected: readonly {
    readonly reason: string;
    readonly rows: number;
    readonly times: number;
    readonly samples:
      readonly (NamedSeries & { readonly time: string | null; readonly answered: string })[];
  }[];
  readonly comparison: {
    readonly rule: typeof OUTLIER_RULE;
    readonly timeframes: readonly {
      readonly timeframe: string;
      readonly symbols: number;
      readonly since: string | null;
      readonly until: string | null;
      readonly isWhole: boolean;
    }[];
    readonly exchanges: readonly (Compared & { readonly exchange: string })[];
    readonly series: readonly (Compared & NamedSeries)[];
    readonly worst: readonly (NamedSeries & {
      readonly time: string;
      readonly field: "high" | "low" | "close";
      readonly price: string;
      readonly median: number;
      readonly percent: number;
      readonly others: number;
    })[];
  };
}

/** What is being done, or the report. */
export type ReportStep = { readonly doing: string } | { readonly report: Report };

/** A series as documents name it. */
export function named({ exchange, symbol, timeframe }: Series): NamedSeries {
  return { exchange, symbol, timeframe: timeframe.text };
}

/** Null for what is not known or endless. */
export function isoOrNull(timeMs: number | null | undefined): string | null {
  return timeMs === null || timeMs === undefined || !Number.isFinite(timeMs) ? null : iso(timeMs);
}

/** Milliseconds as ISO 8601 UTC. */
export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
