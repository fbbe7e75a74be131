/** Answers `/candles` and `/explained` for the page's chart: candles of a series, and why others are missing. @module */
import { type Series } from "../market/series.ts";
import type { VolumeUnit } from "../market/terms.ts";
import {
  addCandles,
  ceilTime,
  countCandles,
  isTimeframe,
  parseTimeframe,
  type Timeframe,
} from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { nearest } from "../text/nearest.ts";
import {
  type ChartTimeframe,
  type ExplainedSpan,
  readArchivedNames,
  readChartCandles,
  readChartTimeframes,
  readExplainedSpans,
} from "../store/chart.ts";
import type { Database } from "../store/connection/database.ts";
import { isSymbol } from "../market/symbol.ts";
import { type CandleEntry, candleEntry } from "./candle_entry.ts";

/** Times are ISO 8601 UTC, values decimal texts. */
export interface CandlesDocument {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** The timeframes in which this symbol can be shown, finest first. */
  readonly timeframes: readonly {
    readonly timeframe: string;
    /** The archived timeframe that it is calculated from; null if it is archived itself. */
    readonly rolledUpFrom: string | null;
  }[];
  /** Ascending. */
  readonly candles: readonly (CandleEntry & {
    /** Whether nothing but a stream has told of it, or of a part of it: an answer of the exchange confirms it later. */
    readonly provisional: boolean;
    /** What the volume counts; null where that is not known. */
    readonly volumeUnit: VolumeUnit | null;
    /** The volume in the base currency; null where it does not follow exactly from the candle. */
    readonly volumeBase: string | null;
  })[];
}

/** Times are ISO 8601 UTC. */
export interface ExplainedDocument {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
  /** Ascending. Together they cover the whole window. */
  readonly spans: readonly {
    readonly since: string;
    readonly until: string;
    readonly state: ExplainedSpan["state"];
    readonly candles: number;
  }[];
}

/** A request with wrong parameters. */
export class BadQueryError extends Error {
  override readonly name = "BadQueryError";
  constructor(readonly status: 400 | 404, message: string) {
    super(message);
  }
}

/** Most candles per answer: about 200 kB, and several screens full. */
const CANDLES_MAX = 2_000;

const CANDLES_DEFAULT = 500;

/** A rough check only: the database then tells whether the series exists. */
const EXCHANGE = /^[a-z0-9_]{1,40}$/i;

const CCXT_ID = "a CCXT id: binance";

const TIME = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/;

/**
 * With `since` the oldest candles from there on, else the newest ones; before `until` (default now), at most `limit`
 * (default 500).
 *
 * @throws BadQueryError, StoreError
 */
export async function readCandlesDocument(
  database: Database,
  query: URLSearchParams,
  { nowMs }: { readonly nowMs: number },
): Promise<CandlesDocument> {
  const asked = new Query(query, ["exchange", "symbol", "timeframe", "since", "until", "limit"]);
  const series = asked.series();
  const sinceMs = asked.time("since");
  const window = { sinceMs: sinceMs ?? 0, untilMs: asked.time("until") ?? nowMs };
  const candlesMax = asked.limit({ most: CANDLES_MAX, otherwise: CANDLES_DEFAULT });
  const timeframes = await readChartTimeframes(database, series);
  const { rolledUpFrom } = await timeframeOf(database, series, timeframes);
  const candles = await readChartCandles(database, series, {
    window,
    rolledUpFrom,
    candlesMax,
    isForward: sinceMs !== undefined,
  });
  return {
    ...named(series),
    timeframes: timeframes.map(({ timeframe, rolledUpFrom }) => ({
      timeframe: timeframe.text,
      rolledUpFrom: rolledUpFrom?.text ?? null,
    })),
    candles: candles.map(({ isProvisional, volumeUnit, volumeBase, ...candle }) => ({
      ...candleEntry(candle),
      ...{ volumeUnit, volumeBase },
      provisional: isProvisional,
    })),
  };
}

/**
 * The state of every candle of an archived series in a window of at most {@linkcode CANDLES_MAX} candles.
 *
 * @throws BadQueryError, StoreError
 */
export async function readExplainedDocument(
  database: Database,
  query: URLSearchParams,
): Promise<ExplainedDocument> {
  const asked = new Query(query, ["exchange", "symbol", "timeframe", "since", "until"]);
  const series = asked.series();
  const window = {
    sinceMs: asked.time("since") ?? asked.lacks("since"),
    untilMs: asked.time("until") ?? asked.lacks("until"),
  };
  assertShort(series.timeframe, window);
  const timeframes = await readChartTimeframes(database, series);
  const { rolledUpFrom } = await timeframeOf(database, series, timeframes);
  if (rolledUpFrom !== undefined) {
    throw new BadQueryError(
      400,
      `Cannot explain ${series.timeframe.text}: it is calculated from ${rolledUpFrom.text}. Ask for ${rolledUpFrom.text}`,
    );
  }
  const spans = await readExplainedSpans(database, series, window);
  return {
    ...named(series),
    spans: spans.map(({ sinceMs, untilMs, state, candles }) => ({
      since: iso(sinceMs),
      until: iso(untilMs),
      state,
      candles,
    })),
  };
}

function assertShort(timeframe: Timeframe, { sinceMs, untilMs }: Window): void {
  if (sinceMs > untilMs) {
    throw new BadQueryError(400, `Cannot read a window that ends before it begins`);
  }
  const firstMs = ceilTime(timeframe, sinceMs);
  const candles = countCandles(timeframe, firstMs, ceilTime(timeframe, untilMs));
  if (candles <= CANDLES_MAX) return;
  const untilMax = iso(addCandles(timeframe, firstMs, CANDLES_MAX));
  throw new BadQueryError(
    400,
    `Cannot explain ${candles} candles at once: at most ${CANDLES_MAX}, until=${untilMax}`,
  );
}

/** The requested timeframe. @throws BadQueryError when the symbol is not archived in it. StoreError */
export async function timeframeOf(
  database: Database,
  { exchange, symbol, timeframe }: Series,
  there: readonly ChartTimeframe[],
): Promise<ChartTimeframe> {
  const found = there.find((one) => one.timeframe.text === timeframe.text);
  if (found !== undefined) return found;
  if (there.length === 0) {
    const { exchanges, symbols } = await readArchivedNames(database, exchange);
    const [unknown, names] = symbols.length === 0 ? [exchange, exchanges] : [symbol, symbols];
    const [...meant] = nearest(unknown, names);
    const hint = meant.length === 0 ? "" : `: did you mean ${meant.join(" or ")}?`;
    throw new BadQueryError(404, `${exchange} ${symbol} is not in the archive${hint}`);
  }
  const texts = there.map((one) => one.timeframe.text);
  throw new BadQueryError(
    404,
    `${exchange} ${symbol} is not archived in ${timeframe.text}, only in ${texts.join(", ")}`,
  );
}

/** The parameters of a request. */
export class Query {
  readonly #query: URLSearchParams;

  /** @throws BadQueryError for unknown or repeated parameters. */
  constructor(query: URLSearchParams, names: readonly string[]) {
    this.#query = query;
    for (const name of query.keys()) {
      if (!names.includes(name)) {
        const [meant] = nearest(name.slice(0, 40), names);
        const hint = meant === undefined ? names.join(", ") : `did you mean ${meant}?`;
        throw new BadQueryError(400, `Cannot use the parameter ${quoted(name)}: ${hint}`);
      }
      if (query.getAll(name).length > 1) {
        throw new BadQueryError(400, `Cannot use the parameter ${name} twice`);
      }
    }
  }

  series(): Series {
    const exchange = this.#text("exchange", (text) => EXCHANGE.test(text), CCXT_ID);
    const symbol = this.#text("symbol", isSymbol, "a unified symbol: BTC/USDT");
    const text = this.#text("timeframe", isTimeframe, "a CCXT timeframe: 1m, 4h, 1d, 1M");
    return { exchange, symbol, timeframe: parseTimeframe(text) };
  }

  /** Milliseconds; undefined when it is not given. */
  time(name: string): number | undefined {
    const text = this.#query.get(name);
    if (text === null) return undefined;
    const timeMs = TIME.test(text) ? Date.parse(text) : NaN;
    if (Number.isNaN(timeMs)) this.#refuse(name, text, "ISO 8601 in UTC: 2026-01-31T12:00:00Z");
    return timeMs;
  }

  limit({ most, otherwise }: { readonly most: number; readonly otherwise: number }): number {
    const text = this.#query.get("limit");
    if (text === null) return otherwise;
    const limit = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
    if (!(limit >= 1 && limit <= most)) {
      this.#refuse("limit", text, `a whole number from 1 to ${most}`);
    }
    return limit;
  }

  /** Undefined when it is not given. */
  exchange(): string | undefined {
    return this.optional("exchange", (text): text is string => EXCHANGE.test(text), CCXT_ID);
  }

  /** Undefined when it is not given. */
  optional<Text extends string>(
    name: string,
    isValid: (text: string) => text is Text,
    allowed: string,
  ): Text | undefined {
    const text = this.#query.get(name);
    if (text === null || isValid(text)) return text ?? undefined;
    return this.#refuse(name, text, allowed);
  }

  lacks(name: string): never {
    throw new BadQueryError(400, `The parameter ${name} is missing`);
  }

  #text(name: string, isValid: (text: string) => boolean, allowed: string): string {
    const text = this.#query.get(name) ?? this.lacks(name);
    if (!isValid(text)) this.#refuse(name, text, allowed);
    return text;
  }

  #refuse(name: string, text: string, allowed: string): never {
    throw new BadQueryError(400, `Cannot read ${name}=${quoted(text)}: expected ${allowed}`);
  }
}

/** A parameter for an error message: shortened, on one line. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}

function named({ exchange, symbol, timeframe }: Series): {
  readonly exchange: string;
  readonly symbol: string;
  readonly timeframe: string;
} {
  return { exchange, symbol, timeframe: timeframe.text };
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
