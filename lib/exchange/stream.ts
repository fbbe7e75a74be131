/** The streams of one exchange: its series spread over connections, which are opened anew for as long as they are wanted. @module */
import type { Clock } from "../clock.ts";
import { backoffMs } from "../policy/backoff.ts";
import { shortText } from "../text/redact.ts";
import { Pace } from "./pace.ts";
import { findStream, type StreamAddress, type StreamedExchange } from "./stream_address.ts";
import {
  END_REASONS,
  type EndReason,
  type OpenSocket,
  StreamConnection,
} from "./stream_connection.ts";
import type { StreamDialect, Topic } from "./stream_dialect.ts";
import type { SeriesNews, StreamedSeries, StreamEvent, WishedSeries } from "./stream_event.ts";
import { PlatformSockets } from "./stream_socket.ts";

interface StreamsOptions {
  readonly exchange: StreamedExchange;
  readonly clock: Clock;
  /** Uniform in `[0, 1)`, as `Math.random`. */
  readonly random: () => number;
  /** Ends all connections. */
  readonly signal?: AbortSignal | undefined;
  /** Called at once for each event. Must not throw. */
  readonly onEvent: (event: StreamEvent) => void;
  /** @default a WebSocket of the platform */
  readonly openSocket?: OpenSocket | undefined;
}

/** Counted since the streams were opened. */
interface StreamCounts {
  /** Connections that are to be open. */
  readonly connections: number;
  /** Connections that are open. */
  readonly up: number;
  /** Messages that could be read. */
  readonly messages: number;
  /** Candles of what is not subscribed. They are dropped. */
  readonly unasked: number;
  /** Messages that could not be read. */
  readonly garbage: number;
  readonly ends: Readonly<Record<EndReason, number>>;
}

/** A connection's place, with its share of the topics. */
interface Place {
  readonly topics: Map<string, Topic>;
  connection: StreamConnection | undefined;
  /** How many connections in a row have ended early. */
  ended: number;
  isKept: boolean;
}

const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 30_000;

/** A connection that lived so long is no failure: the next one is opened soon. */
const STEADY_MS = 30_000;

/** Enough for 500 series where a connection carries the fewest. */
const CONNECTIONS_MAX = 20;

export class Streams {
  readonly #options: StreamsOptions;
  readonly #dialect: StreamDialect;
  readonly #address: StreamAddress;
  readonly #openings: Pace;
  readonly #places: Place[] = [];
  readonly #sockets = new PlatformSockets();
  /** By the topic's name. */
  readonly #series = new Map<string, StreamedSeries>();
  /** What cannot be streamed, told once. */
  #lacking: ReadonlySet<string> = new Set();
  readonly #closed = new AbortController();
  readonly #work = new Set<Promise<void>>();
  readonly #ends = Object.fromEntries(
    END_REASONS.map((reason) => [reason, 0]),
  ) as Record<EndReason, number>;
  #messages = 0;
  #unasked = 0;
  #garbage = 0;

  /** Use {@linkcode openStreams}. */
  constructor(
    options: StreamsOptions,
    { dialect, address }: { readonly dialect: StreamDialect; readonly address: StreamAddress },
  ) {
    this.#options = options;
    this.#dialect = dialect;
    this.#address = address;
    this.#openings = new Pace({ intervalMs: dialect.openIntervalMs, clock: options.clock });
    options.signal?.addEventListener("abort", () => void this.close(), { once: true });
    if (options.signal?.aborted) this.#closed.abort();
  }

  /** What is to be streamed from now on, all of it. What was streamed before and is not named ends. */
  subscribe(wished: readonly WishedSeries[]): void {
    if (this.#closed.signal.aborted) return;
    const topics = this.#topicsOf(wished);
    for (const place of this.#places) this.#drop(place, topics);
    for (const [name, { topic, series }] of topics) {
      if (this.#series.has(name)) continue;
      const place = this.#placeFor(topic);
      if (place === undefined) {
        const why = `${CONNECTIONS_MAX} connections carry no more series`;
        this.#options.onEvent({ kind: "refused", ...series, why });
        continue;
      }
      this.#series.set(name, series);
      place.topics.set(name, topic);
    }
    for (const place of this.#places) {
      place.connection?.want(place.topics);
      this.#keep(place);
    }
  }

  counts(): StreamCounts {
    // One that is opened anew counts, also while none is there.
    const wanted = this.#places.filter(({ topics }) => topics.size > 0);
    return {
      connections: wanted.length,
      up: wanted.filter(({ connection }) => connection?.isOpen === true).length,
      messages: this.#messages,
      unasked: this.#unasked,
      garbage: this.#garbage,
      ends: { ...this.#ends },
    };
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    this.#closed.abort();
    for (const { connection } of this.#places) {
      connection?.end("stopped", "it is not wanted any more");
    }
    await Promise.all(this.#work);
    this.#sockets.close();
  }

  /** The topics of what can be streamed. What cannot is told, once for as long as it is wished. */
  #topicsOf(
    wished: readonly WishedSeries[],
  ): ReadonlyMap<string, { readonly topic: Topic; readonly series: StreamedSeries }> {
    const topics = new Map<string, { topic: Topic; series: StreamedSeries }>();
    const lacking = new Set<string>();
    for (const { symbol, timeframe, market } of wished) {
      const series = { symbol, timeframe };
      const topic = this.#topicOf(timeframe, market);
      const other = typeof topic === "string" ? undefined : topics.get(topic.name);
      const found = other === undefined
        ? topic
        : `its market is streamed as ${other.series.symbol}`;
      if (typeof found !== "string") {
        topics.set(found.name, { topic: found, series });
        continue;
      }
      const key = `${symbol} ${timeframe}`;
      lacking.add(key);
      if (this.#lacking.has(key)) continue;
      this.#options.onEvent({ kind: "refused", ...series, why: found });
    }
    this.#lacking = lacking;
    return topics;
  }

  /** The topic of a market's candles, or why there is none. */
  #topicOf(timeframe: string, { id, kind, streamName }: WishedSeries["market"]): Topic | string {
    const { intervals, topicName } = this.#dialect;
    if (kind !== "spot") return "only spot markets are streamed";
    if (!Object.hasOwn(intervals, timeframe)) return `${timeframe} is not streamed`;
    const market = streamName ?? id;
    const interval = intervals[timeframe];
    if (market === undefined || interval === undefined) return "the market has no id";
    return { name: topicName(market, interval), market, interval };
  }

  /** Takes from a place what is not wished any more, or is wished under another symbol. */
  #drop(
    place: Place,
    wished: ReadonlyMap<string, { readonly series: StreamedSeries }>,
  ): void {
    for (const name of place.topics.keys()) {
      if (wished.get(name)?.series.symbol === this.#series.get(name)?.symbol) continue;
      place.topics.delete(name);
      this.#series.delete(name);
    }
    place.connection?.want(place.topics);
  }

  #placeFor({ market }: Topic): Place | undefined {
    const { topicsMax, isOneIntervalEach = false } = this.#dialect;
    const place = this.#places.find(({ topics }) =>
      topics.size < topicsMax &&
      !(isOneIntervalEach && topics.values().some((topic) => topic.market === market))
    );
    if (place !== undefined || this.#places.length >= CONNECTIONS_MAX) return place;
    const added: Place = { topics: new Map(), connection: undefined, ended: 0, isKept: false };
    this.#places.push(added);
    return added;
  }

  /** Keeps a place's connection open for as long as it has topics. */
  #keep(place: Place): void {
    if (place.topics.size === 0) {
      place.connection?.end("stopped", "it has no series any more");
      return;
    }
    if (place.isKept) return;
    place.isKept = true;
    const work = this.#connectAgain(place).catch(() => {
      // Only a sleep that was ended fails.
    }).finally(() => {
      place.isKept = false;
      this.#work.delete(work);
      // It may have got topics after its loop had ended.
      if (!this.#closed.signal.aborted && place.topics.size > 0) this.#keep(place);
    });
    this.#work.add(work);
  }

  async #connectAgain(place: Place): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#closed;
    while (!signal.aborted && place.topics.size > 0) {
      await this.#openings.turn("live", signal);
      // It may have lost its topics meanwhile, and nobody would end it.
      if (signal.aborted || place.topics.size === 0) break;
      const { reason, ageMs } = await this.#connect(place);
      const isSteady = ageMs >= STEADY_MS;
      place.ended = isSteady ? 0 : place.ended + 1;
      if (isSteady && reason === "rotated") continue;
      const bounds = { minMs: RECONNECT_MS_MIN, maxMs: RECONNECT_MS_MAX };
      await clock.sleep(backoffMs({ ...bounds, attempt: place.ended, random }), { signal });
    }
  }

  /** Opens a connection, and resolves when it has ended. */
  async #connect(
    place: Place,
  ): Promise<{ readonly reason: EndReason; readonly ageMs: number }> {
    const { clock, random, onEvent, openSocket = this.#sockets.open } = this.#options;
    const ended = Promise.withResolvers<EndReason>();
    const seriesOf = (topic: string): StreamedSeries | undefined => this.#series.get(topic);
    const tell = (topic: string, event: SeriesNews): void => {
      const series = seriesOf(topic);
      if (series !== undefined) onEvent({ ...event, ...series });
    };
    const connection = new StreamConnection({
      ...{ dialect: this.#dialect, address: this.#address, clock, random, openSocket },
      onMessage: () => void this.#messages++,
      onGarbage: () => void this.#garbage++,
      onUnasked: () => void this.#unasked++,
      onAgreed: (topic) => tell(topic, { kind: "subscribed", connection: connection.number }),
      onRefused: (topic, why) => tell(topic, { kind: "refused", why: shortText(why) }),
      onCandle: (topic, { row, isClosed, isSnapshot = false, exchangeMs }) =>
        tell(topic, {
          ...{ kind: "candle", connection: connection.number, row, isClosed, isSnapshot },
          ...{ exchangeMs, receivedMs: clock.now() },
        }),
      onEnd: (reason, text) => {
        const why = shortText(text);
        this.#ends[reason]++;
        place.connection = undefined;
        const series = [...place.topics.keys()].flatMap((topic) => seriesOf(topic) ?? []);
        onEvent({ kind: "ended", connection: connection.number, reason, why, series });
        ended.resolve(reason);
      },
    });
    place.connection = connection;
    connection.want(place.topics);
    connection.open();
    const reason = await ended.promise;
    return { reason, ageMs: connection.ageMs };
  }
}

/**
 * Opens the streams of an exchange, with no series at first.
 *
 * @throws RangeError when it has none, see `streamAbility`.
 */
export function openStreams(options: StreamsOptions): Streams {
  const found = findStream(options.exchange);
  if ("why" in found) {
    throw new RangeError(`Cannot stream candles of ${options.exchange.id}: ${found.why}`);
  }
  return new Streams(options, found);
}
