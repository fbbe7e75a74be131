import assert from "node:assert/strict";
import { STREAM_DIALECTS } from "../../lib/exchange/stream_address.ts";
import { openStreams } from "../../lib/exchange/stream.ts";
import type { StreamEvent, WishedSeries } from "../../lib/exchange/stream_event.ts";
import { type FakeSocket, fakeSockets } from "../support/fake_socket.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { fc } from "../support/property.ts";
import type { StreamVoice } from "../support/stream_voice.ts";
import { STREAM_VOICES } from "../support/stream_voices.ts";

const MARKETS = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "NOUSDT"] as const;
const REFUSED = new Set(["NOUSDT"]);
const TIMEFRAMES = ["1m", "1h", "1d"] as const;
const SERIES: readonly WishedSeries[] = MARKETS.flatMap((id) =>
  TIMEFRAMES.map((timeframe) => ({ symbol: id, timeframe, market: { id, kind: "spot" } }))
);

type Step =
  | { readonly do: "wish"; readonly series: readonly WishedSeries[] }
  | { readonly do: "answer" }
  | { readonly do: "open" | "drop" | "garbage"; readonly which: number }
  | { readonly do: "candle"; readonly which: number; readonly series: WishedSeries }
  | { readonly do: "wait"; readonly ms: number };

const which = fc.nat(5);
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("wish" as const), series: fc.subarray([...SERIES]) }),
    },
    { weight: 4, arbitrary: fc.constant({ do: "answer" as const }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("open" as const), which }) },
    fc.record({ do: fc.constantFrom("drop" as const, "garbage" as const), which }),
    {
      weight: 4,
      arbitrary: fc.record({
        ...{ do: fc.constant("candle" as const), which, series: fc.constantFrom(...SERIES) },
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        ms: fc.constantFrom(250, 1_000, 5_000, 16_000, 60_000),
      }),
    },
  ),
  { minLength: 20, maxLength: 60, size: "max" },
);

/** The exchange's side of one fake socket. */
interface Side {
  readonly socket: FakeSocket;
  readonly voice: StreamVoice;
  isOpen: boolean;
  heard: number;
}

class Exchange {
  readonly #id: string;
  readonly #sides: Side[] = [];
  readonly #sockets: readonly FakeSocket[];

  constructor(id: string, sockets: readonly FakeSocket[]) {
    this.#id = id;
    this.#sockets = sockets;
  }

  get sides(): readonly Side[] {
    for (const socket of this.#sockets.slice(this.#sides.length)) {
      const voice = STREAM_VOICES[this.#id]?.();
      assert.ok(voice);
      this.#sides.push({ socket, voice, isOpen: false, heard: 0 });
    }
    return this.#sides;
  }

  /** A socket that the program has not closed, counted from the newest. */
  side(which: number): Side | undefined {
    return this.sides.filter(({ socket }) => !socket.isClosed).at(-1 - which);
  }

  open(side: Side | undefined): void {
    if (side === undefined || side.isOpen) return;
    side.isOpen = true;
    side.socket.open();
  }

  answerAll(): void {
    for (const side of this.sides) {
      while (side.isOpen && !side.socket.isClosed && side.heard < side.socket.sent.length) {
        const { answers } = side.voice.hear(side.socket.sent[side.heard++] ?? "", REFUSED);
        for (const answer of answers) side.socket.say(answer);
      }
    }
  }

  candle(which: number, { timeframe, market }: WishedSeries): void {
    const side = this.side(which);
    const interval = STREAM_DIALECTS[this.#id]?.intervals[timeframe];
    if (side === undefined || !side.isOpen || interval === undefined) return;
    const topic = { market: market.id ?? "", interval };
    const row = [1_704_067_200_000, "1", "1", "1", "1", "1"] as const;
    side.socket.say(side.voice.candle(topic, row, { exchangeMs: 1_704_067_200_500 }));
  }
}

/** What a user of streams may rely on. */
class Watcher {
  /** What is wished now, by symbol and timeframe. */
  wished = new Set<string>();
  /** The series in force of each connection that lives. */
  readonly living = new Map<number, Set<string>>();
  readonly #ended = new Set<number>();

  readonly take = (event: StreamEvent): void => {
    if (event.kind === "refused") {
      assert.ok(REFUSED.has(event.symbol) || /no answer/.test(event.why), event.why);
      return;
    }
    const { connection } = event;
    assert.ok(!this.#ended.has(connection), "an event of a connection that has ended");
    if (event.kind === "ended") {
      this.#ended.add(connection);
      this.living.delete(connection);
      return;
    }
    const key = keyOf(event);
    assert.ok(this.wished.has(key), `${event.kind} of ${key}, which is not wished`);
    const series = this.living.get(connection) ?? new Set();
    this.living.set(connection, series);
    if (event.kind === "candle") assert.ok(series.has(key), `a candle before ${key} is in force`);
    series.add(key);
  };
}

function keyOf(
  { symbol, timeframe }: { readonly symbol: string; readonly timeframe: string },
): string {
  return `${symbol} ${timeframe}`;
}

for (const id of Object.keys(STREAM_VOICES)) {
  Deno.test(`whatever happens to connections to ${id}, each event is of what is wished, and all that is wished is in force again`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.double({ min: 0, max: 0.999 }), async (steps, share) => {
        const [clock, watcher] = [new ManualClock(), new Watcher()];
        const { sockets, openSocket } = fakeSockets();
        const exchange = new Exchange(id, sockets);
        const streams = openStreams({
          ...{ exchange: { id }, clock, random: () => share, openSocket, onEvent: watcher.take },
        });
        const perform = async (step: Step): Promise<void> => {
          switch (step.do) {
            case "wish": {
              const intervals = STREAM_DIALECTS[id]?.intervals ?? {};
              const series = step.series.filter(({ timeframe }) =>
                Object.hasOwn(intervals, timeframe)
              );
              watcher.wished = new Set(series.map(keyOf));
              return streams.subscribe(series);
            }
            case "answer":
              return exchange.answerAll();
            case "open":
              return exchange.open(exchange.side(step.which));
            case "drop":
              return exchange.side(step.which)?.socket.drop();
            case "garbage":
              return exchange.side(step.which)?.socket.say("<html>");
            case "candle":
              return exchange.candle(step.which, step.series);
            case "wait":
              return await clock.advance(step.ms);
          }
        };
        for (const step of steps) await perform(step);
        // The exchange answers everything from now on.
        const isWhole = (): boolean => {
          const inForce = new Set([...watcher.living.values()].flatMap((series) => [...series]));
          return [...watcher.wished].every((key) => key.startsWith("NO") || inForce.has(key));
        };
        for (let second = 0; second < 120 && !isWhole(); second++) {
          for (const side of exchange.sides) if (!side.socket.isClosed) exchange.open(side);
          exchange.answerAll();
          await clock.advance(1_000);
        }
        assert.ok(isWhole(), `not in force again: ${[...watcher.wished]}`);
        await streams.close();
        assert.deepEqual([clock.sleepers, watcher.living.size], [0, 0]);
      }),
    );
  });
}
