/** What a stream of candles says and wants to hear: the form that every exchange's dialect has. @module */

/** A candle as a page's row: its open time in milliseconds, then decimal texts as the exchange wrote them. */
export type StreamedRow = readonly [
  openTimeMs: number,
  open: string,
  high: string,
  low: string,
  close: string,
  volume: string,
];

/** The candles of one market in one timeframe, in the exchange's own words. */
export interface Topic {
  /** What the exchange's messages name it by. */
  readonly name: string;
  /** The exchange's name of the market. */
  readonly market: string;
  /** The exchange's word for the timeframe. */
  readonly interval: string;
}

/** What one message says. */
export type Told =
  | {
    readonly kind: "candle";
    /** The topic's name, or the alias that the exchange gave it. */
    readonly topic: string;
    readonly row: StreamedRow;
    /** Whether the exchange calls the candle closed; undefined where it does not say. */
    readonly isClosed?: boolean | undefined;
    /** Whether it was sent because somebody subscribed, not because something happened. @default false */
    readonly isSnapshot?: boolean | undefined;
    /** What the exchange's clock showed. */
    readonly exchangeMs?: number | undefined;
  }
  | {
    /** A subscription is in force: of one topic, or of all that the request with this id named. */
    readonly kind: "agreed";
    readonly topic?: string | undefined;
    readonly id?: string | undefined;
    /** What messages will name the topic by. @default its name */
    readonly alias?: string | undefined;
  }
  | {
    /** A subscription is refused: of a topic, or of what the request with this id named, maybe of one market alone. */
    readonly kind: "refused";
    readonly topic?: string | undefined;
    readonly id?: string | undefined;
    readonly market?: string | undefined;
    readonly why: string;
  }
  /** The exchange wants to hear this text. */
  | { readonly kind: "reply"; readonly text: string }
  /** Says only that the connection works. */
  | { readonly kind: "alive" }
  /** The exchange asks to connect again, or will soon close. */
  | { readonly kind: "closing"; readonly why: string };

/** What a message of ours may carry. */
export interface Asking {
  /** Its number on its connection. */
  readonly id: string;
  readonly nowMs: number;
}

/** One exchange's public stream of spot candles. Everything here is pure. */
export interface StreamDialect {
  /** The address, as in CCXT's class. */
  readonly url: string;
  /** Under which keys of `urls.api` CCXT's class has its address, and what it appends. */
  readonly urlKeys: readonly string[];
  readonly urlSuffix?: string;
  /** The exchange's words for CCXT's timeframes, those whose candles open where the archive's do. */
  readonly intervals: Readonly<Record<string, string>>;
  /** Whether messages say that a candle is closed. */
  readonly flagsClosed: boolean;
  /** Whether each subscription is answered. Where not, the first candle says that it is in force. */
  readonly isAnswering: boolean;
  /** Whether refusals do not say what they are about: requests then wait for the answer to the one before. @default false */
  readonly refusesUnnamed?: boolean;
  /** Most topics of a connection. */
  readonly topicsMax: number;
  /** Whether a connection takes one timeframe of each market, and no second. @default false */
  readonly isOneIntervalEach?: boolean;
  /** Most topics of one message that subscribes. All are of one interval. */
  readonly batchMax: number;
  /** Least time between two messages of ours. */
  readonly sendIntervalMs: number;
  /** Least time between the openings of two connections. */
  readonly openIntervalMs: number;
  /** How often to send {@linkcode StreamDialect.ping}. */
  readonly pingEveryMs: number;
  /** The connection has ended when nothing came for so long, answers to pings included. */
  readonly silenceMs: number;
  /** The connection is replaced at this age, before the exchange would end it. */
  readonly ageMsMax: number;
  /** Messages that are not JSON, and what to answer. @default none */
  readonly words?: Readonly<Record<string, string | undefined>>;
  /** A message that makes the exchange answer; undefined where it speaks often enough by itself. */
  ping?(asking: Asking): string;
  topicName(market: string, interval: string): string;
  subscribe(topics: readonly Topic[], asking: Asking): string;
  /** `aliases` are those of the topics that have one, by the topic's name. */
  unsubscribe(
    topics: readonly Topic[],
    asking: Asking,
    aliases: ReadonlyMap<string, string>,
  ): string;
  /** What a message says; undefined when it is none that this exchange is known to send. */
  read(message: unknown): readonly Told[] | undefined;
}

export const ALIVE: readonly Told[] = [{ kind: "alive" }];

/** A message's value as an object. */
export function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Readonly<Record<string, unknown>>
    : undefined;
}

/** A message's value as a list; empty if it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A message's text or number as text; undefined if it is neither. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
}

/** A message's time in milliseconds: a number of them, or an ISO 8601 text. */
export function timeOf(value: unknown): number | undefined {
  const timeMs = typeof value === "string" && !/^\d+$/.test(value)
    ? Date.parse(value)
    : Number(value ?? NaN);
  return Number.isFinite(timeMs) ? timeMs : undefined;
}

/** A row of a message's values, in the order of OHLCV; undefined without a time. */
export function rowOf(
  timeMs: number | undefined,
  values: readonly unknown[],
): StreamedRow | undefined {
  if (timeMs === undefined) return undefined;
  // What is neither text nor number fails the checks that every candle passes before it is stored.
  const [open = "", high = "", low = "", close = "", volume = ""] = values.map(textOf);
  return [timeMs, open, high, low, close, volume];
}

/** The candle of a row, if there is one. */
export function candleOf(
  topic: string,
  row: StreamedRow | undefined,
  rest: Omit<Told & { kind: "candle" }, "kind" | "topic" | "row"> = {},
): readonly Told[] {
  return row === undefined ? [] : [{ kind: "candle", topic, row, ...rest }];
}
