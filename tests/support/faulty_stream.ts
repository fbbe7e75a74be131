/** A stream without a network that tells of a local exchange's candles, minute by minute, and fails as a test tells it. @module */
import { STREAM_DIALECTS } from "../../lib/exchange/stream_address.ts";
import { formingCandle } from "../../lib/local_exchange/history.ts";
import type { LocalSymbol } from "../../lib/local_exchange/local_symbol.ts";
import type { LocalExchange } from "../../lib/local_exchange/server.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { rowOf, symbolOf } from "./candle_stream.ts";
import type { FakeSocket } from "./fake_socket.ts";
import type { Dialect } from "./local_exchange/dialect.ts";
import type { ManualClock } from "./manual_clock.ts";
import type { CandleManner, StreamVoice, VoiceRow, VoiceTopic } from "./stream_voice.ts";
import { ALL_STREAM_VOICES } from "./stream_voices.ts";

export const STREAM_FAULTS = [
  /** All connections are lost in the middle of the minute. */
  "killed",
  /** The open connections hear and say nothing any more, not even an answer to a ping. */
  "half-open",
  /** No new connection is accepted while it lasts, and the open ones are lost. */
  "no handshake",
  /** No candles come, and pings are answered. */
  "silent",
  /** Nothing comes of this minute alone. */
  "no candle",
  /** The values of the minute come twenty seconds after its close. */
  "late final",
  /** The minute is told as closed twice, with different values. */
  "two finals",
  /** The minute is told as one without trades, whatever it was. */
  "flat candle",
  /** An older minute comes again with other values, as where a client subscribes. */
  "stale snapshot",
  /** Candles of a market, or of a timeframe, that is not subscribed. */
  "wrong market",
  "wrong timeframe",
  "binary",
  "garbage",
  /** One of the markets is refused: the connections are lost, and those after them do not get it. */
  "refused",
  /** The exchange's clock is two seconds ahead of this machine's, or behind. */
  "clock ahead",
  "clock behind",
] as const;

export type StreamFault = (typeof STREAM_FAULTS)[number];

/** What goes wrong in a minute. `isSecond` chooses between the two ways of it. */
export interface MinuteFault {
  readonly fault: StreamFault | undefined;
  readonly isSecond: boolean;
}

/** One connection, from the exchange's side. */
interface Side {
  readonly socket: FakeSocket;
  readonly voice: StreamVoice;
  readonly topics: Map<string, VoiceTopic>;
  isOpen: boolean;
  isDeaf: boolean;
  heard: number;
}

interface FaultyStreamOptions {
  readonly dialect: Dialect;
  readonly local: LocalExchange;
  readonly clock: ManualClock;
  /** Those that the program has opened, and will open. */
  readonly sockets: readonly FakeSocket[];
  /** Resolves when the program has dealt with all that it was told. */
  readonly atRest: () => Promise<void>;
}

const MINUTE = parseTimeframe("1m");
const MINUTE_MS = 60_000;
const SKEW_MS = 2_000;
const GARBAGE = ["<html>502 Bad Gateway</html>", '{"e":', "[]"];

export class FaultyStream {
  readonly #options: FaultyStreamOptions;
  readonly #sides: Side[] = [];
  #minute: MinuteFault = { fault: undefined, isSecond: false };
  /** What a late message will say. */
  #late: (() => void) | undefined;

  constructor(options: FaultyStreamOptions) {
    this.#options = options;
  }

  /** Lets a minute pass from its sixth second to the sixth of the next one. */
  async minute(minute: MinuteFault): Promise<void> {
    this.#minute = minute;
    const { fault, isSecond } = minute;
    const { clock } = this.#options;
    const openMs = Math.floor(clock.now() / MINUTE_MS) * MINUTE_MS;
    const closeMs = openMs + MINUTE_MS;
    this.#forming();
    await this.#until(openMs + 20_000);
    this.#late?.();
    this.#late = undefined;
    if (fault === "killed" || fault === "refused" || fault === "no handshake") this.#drop();
    if (fault === "half-open") { for (const side of this.#open()) side.isDeaf = true; }
    if (fault === "stale snapshot") this.#tell(openMs - 2 * MINUTE_MS, { isSnapshot: true });
    if (fault === "wrong market" || fault === "wrong timeframe") this.#mistake(openMs);
    if (fault === "binary") this.#say(() => new Uint8Array([1, 2, 3]).buffer);
    if (fault === "garbage") { for (const text of GARBAGE) this.#say(() => text); }
    await this.#until(closeMs - 3_000);
    this.#forming();
    const aheadMs = fault === "clock ahead" ? SKEW_MS : fault === "clock behind" ? -SKEW_MS : 0;
    await this.#until(closeMs - aheadMs + 200);
    const tell = (isOther: boolean): void => this.#tell(openMs, { isOther, isClosed: true });
    if (fault === "late final") this.#late = () => tell(false);
    else tell(fault === "two finals" && !isSecond);
    await this.#until(closeMs + 3_000);
    if (fault === "two finals") tell(isSecond);
    this.#forming();
    await this.#until(closeMs + 6_000);
  }

  async #until(timeMs: number): Promise<void> {
    const { clock, atRest } = this.#options;
    while (clock.now() < timeMs) {
      await clock.advance(Math.min(1_000, timeMs - clock.now()));
      this.#listen();
      await atRest();
    }
  }

  /** Opens connections that wait for it, and answers what they have asked. */
  #listen(): void {
    const { sockets, dialect: { exchange } } = this.#options;
    for (const socket of sockets.slice(this.#sides.length)) {
      const voice = ALL_STREAM_VOICES[exchange]?.();
      if (voice === undefined) throw new RangeError(`No voice of ${exchange}`);
      const topics = new Map<string, VoiceTopic>();
      this.#sides.push({ socket, voice, topics, isOpen: false, isDeaf: false, heard: 0 });
    }
    for (const side of this.#sides) {
      if (side.socket.isClosed || side.isDeaf) continue;
      if (!side.isOpen && this.#minute.fault !== "no handshake") {
        side.isOpen = true;
        side.socket.open();
      }
      if (side.isOpen) this.#answer(side);
    }
  }

  #answer(side: Side): void {
    const { socket, voice, topics } = side;
    while (!socket.isClosed && side.heard < socket.sent.length) {
      const { answers, subscribed } = voice.hear(
        socket.sent[side.heard++] ?? "",
        this.#refused(),
      );
      for (const topic of subscribed) topics.set(topic.market, topic);
      for (const answer of answers) socket.say(answer);
    }
  }

  /** All spellings of the market that is refused now. */
  #refused(): ReadonlySet<string> {
    const { fault, isSecond } = this.#minute;
    if (fault !== "refused") return new Set();
    const [first, second] = this.#options.local.symbols.all();
    const { base = "", quote = "" } = (isSecond ? second : first) ?? {};
    const both = ["", "-", "_", "/"].map((between) => `${base}${between}${quote}`);
    return new Set([...both, ...both.map((name) => name.toLowerCase()), `t${base}UST`]);
  }

  #open(): readonly Side[] {
    return this.#sides.filter(({ socket, isOpen, isDeaf }) =>
      isOpen && !isDeaf && !socket.isClosed
    );
  }

  #drop(): void {
    for (const { socket } of this.#open()) socket.drop();
  }

  #say(message: (side: Side) => string | ArrayBuffer): void {
    for (const side of this.#open()) side.socket.say(message(side));
  }

  /** What forms now, of each market that was traded in this minute. */
  #forming(): void {
    const { dialect: { silence }, clock } = this.#options;
    const nowMs = clock.now();
    const openMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS;
    if (["silent", "no candle"].includes(this.#minute.fault ?? "")) return;
    this.#each((symbol) => {
      const isSilent = symbol.holes?.some(({ sinceMs, untilMs }) =>
        sinceMs <= openMs && openMs < untilMs
      );
      if (isSilent === true && silence === "omitted") return undefined;
      return rowOf(formingCandle({ symbol, timeframe: MINUTE, silence, nowMs }));
    }, {});
  }

  /** What was of a minute, or what a fault makes of it. */
  #tell(
    openMs: number,
    { isOther = false, ...manner }: Partial<CandleManner> & { readonly isOther?: boolean },
  ): void {
    const { local, clock } = this.#options;
    const { fault } = this.#minute;
    if (fault === "silent" || (fault === "no candle" && manner.isClosed === true)) return;
    const window = { sinceMs: openMs, untilMs: openMs + MINUTE_MS };
    this.#each(({ symbol }) => {
      const [truth] = local.truth(symbol, MINUTE, window, Math.max(clock.now(), window.untilMs));
      if (fault === "flat candle" && manner.isClosed === true) {
        return [openMs, "100", "100", "100", "100", "0"];
      }
      if (truth === undefined) return undefined;
      return rowOf(isOther || manner.isClosed !== true ? { ...truth, volume: "0.123" } : truth);
    }, manner);
  }

  /** Tells of what nobody has subscribed. */
  #mistake(openMs: number): void {
    const { dialect: { exchange }, clock } = this.#options;
    const interval = STREAM_DIALECTS[exchange]?.intervals["5m"] ?? "";
    const change = this.#minute.fault === "wrong market" ? { market: "NO" } : { interval };
    for (const { socket, voice, topics } of this.#open()) {
      for (const topic of topics.values()) {
        const manner = { isClosed: true, exchangeMs: clock.now() };
        const row = [openMs, "7", "8", "6", "7", "1"] as const;
        socket.say(voice.candle({ ...topic, ...change }, row, manner));
      }
    }
  }

  /** Says a row of each market that is subscribed, over each connection. */
  #each(
    rowOf: (symbol: LocalSymbol) => VoiceRow | undefined,
    manner: Partial<CandleManner>,
  ): void {
    const { local, clock } = this.#options;
    const { fault } = this.#minute;
    const skewMs = fault === "clock ahead" ? SKEW_MS : fault === "clock behind" ? -SKEW_MS : 0;
    const exchangeMs = clock.now() + skewMs;
    for (const { socket, voice, topics } of this.#open()) {
      for (const topic of topics.values()) {
        const row = rowOf(symbolOf(local, topic));
        if (row === undefined || socket.isClosed) continue;
        socket.say(voice.candle(topic, row, { ...manner, exchangeMs }));
      }
    }
  }
}
