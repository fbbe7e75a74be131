import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import { readConfig } from "../../lib/config/config.ts";
import type { StreamEvent } from "../../lib/exchange/stream_event.ts";
import { Live } from "../../lib/live/live.ts";
import type { StreamSource } from "../../lib/live/stream_source.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { KnownWrites } from "../../lib/store/connection/known_writes.ts";
import { StoreError } from "../../lib/store/connection/store_error.ts";
import { createMetrics } from "../../lib/telemetry/metrics.ts";
import { ManualClock } from "../support/manual_clock.ts";

const OPEN_MS = Date.UTC(2024, 2, 15, 12);
const MINUTE_MS = 60_000;

type Symbols = readonly string[];

/** The streams of one exchange that were opened, one after the other. */
class Source implements StreamSource {
  readonly isWanted = (): boolean => true;
  readonly lackOf = (): undefined => undefined;
  readonly opened: { tell(event: StreamEvent): void; finishClosing(error?: Error): void }[] = [];
  readonly open: StreamSource["open"] = (_exchange, tell) => {
    const { promise: closed, resolve, reject } = Promise.withResolvers<void>();
    this.opened.push({
      tell,
      finishClosing: (error) => error === undefined ? resolve() : reject(error),
    });
    return {
      subscribe: () => {},
      counts: () => ({ connections: 1, up: 1, messages: 0 }),
      close: () => closed,
    };
  };
}

/** An archive without a database: each statement is answered by the test, in the order of asking. */
class Scene {
  readonly clock = new ManualClock({ startMs: OPEN_MS - 2_000 });
  readonly source = new Source();
  readonly metrics = createMetrics();
  readonly lines: string[] = [];
  readonly asked: { readonly action: string; answer(given: unknown): void }[] = [];
  readonly archive: Archive;
  readonly live: Live;

  constructor({ timeframes = "1m", ...markets }: { timeframes?: string; symbols: Symbols }) {
    const { clock, metrics } = this;
    const note = (level: string) => (message: string) =>
      void this.lines.push(`${level} ${message}`);
    const config = readConfig({ env: { EXCHANGES: "kraken", TIMEFRAMES: timeframes } }, {
      ...{ knownExchanges: ["kraken"], isCron: () => true },
    });
    const database = {
      writes: new KnownWrites(clock),
      run: async (action: string) => {
        const { promise, resolve } = Promise.withResolvers<unknown>();
        this.asked.push({ action, answer: resolve });
        const given = await promise;
        if (given instanceof Error) throw given;
        return given;
      },
    };
    this.archive = {
      ...{ clock, metrics, config, database, exchanges: [exchangeOf(timeframes, markets.symbols)] },
      log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
    } as unknown as Archive;
    this.live = new Live(this.archive, this.source);
    this.live.follow();
  }

  /** Puts another exchange of the same id, or other markets, into force. */
  change(symbols: Symbols, { isReplaced = false } = {}): void {
    const [before] = this.archive.exchanges;
    const after = exchangeOf("1m", symbols);
    if (isReplaced) Object.assign(this.archive, { exchanges: [after] });
    else Object.assign(before!, { markets: after.markets, share: after.share });
    this.live.follow();
  }

  tell(
    symbol: string,
    { price = 1, minute = 0, timeframe = "1m", isClosed }: {
      readonly price?: number;
      readonly minute?: number;
      readonly timeframe?: string;
      readonly isClosed?: boolean;
    } = {},
  ): void {
    const text = String(price);
    this.source.opened.at(-1)!.tell({
      ...{ kind: "candle", symbol, timeframe, connection: 1, isClosed, isSnapshot: false },
      ...{ exchangeMs: undefined, receivedMs: this.clock.now() },
      row: [OPEN_MS + minute * MINUTE_MS, text, text, text, text, "1"],
    });
  }

  subscribe(symbol: string): void {
    this.source.opened.at(-1)!.tell({
      ...{ kind: "subscribed", symbol, timeframe: "1m", connection: 1 },
    });
  }

  /** How many candles had that outcome. */
  async candles(outcome: string): Promise<number> {
    const counted = new RegExp(`titan10_stream_candles_total\\{.*"${outcome}"\\} (\\d+)`);
    return Number(counted.exec(await this.metrics.text())?.[1] ?? 0);
  }

  async up(): Promise<string> {
    return /^titan10_stream_up\{.*$/m.exec(await this.metrics.text())?.[0] ?? "none";
  }
}

function exchangeOf(timeframes: string, symbols: Symbols): Archive["exchanges"][number] {
  const series = symbols.flatMap((symbol) =>
    timeframes.split(",").map((text) => ({
      ...{ exchange: "kraken", symbol, timeframe: parseTimeframe(text) },
    }))
  );
  const list = new Map(symbols.map((symbol) => [symbol, { id: symbol, kind: "spot" }]));
  const value = { series, list, suspended: new Set(), expired: new Set() };
  const markets = { value };
  const share = { mayAsk: true, holds: () => true, markets: value };
  return { id: "kraken", markets, share } as unknown as Archive["exchanges"][number];
}

const AWAY = new StoreError("unavailable", "Cannot store", { cause: { code: "55P03" } });

/** Ends streams that have no more to do. */
async function stop({ clock, live, source }: Scene): Promise<void> {
  for (const { finishClosing } of source.opened) finishClosing();
  await live.stop();
  assert.equal(clock.sleepers, 0);
}

Deno.test("while the database does not answer, streams are watched all the same: what closes meanwhile is whole", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { asked, clock } = scene;
  scene.subscribe("BTC/USD");
  await clock.advance(2_500);
  scene.tell("BTC/USD", { minute: -1, isClosed: true });
  await clock.advance(100);
  scene.tell("BTC/USD", { price: 7 });
  await clock.advance(3 * MINUTE_MS);
  assert.equal(asked.length, 1, "one statement at a time");
  asked[0]!.answer(["stored"]);
  await clock.advance(100);
  assert.equal(asked.length, 2);
  asked[1]!.answer(["stored"]);
  await clock.advance(0);
  assert.equal(await scene.candles("stored"), 2);
  await stop(scene);
});

Deno.test("what closed while the machine slept is not stored, and the next candle is", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { asked, clock } = scene;
  scene.subscribe("BTC/USD");
  await clock.advance(2_500);
  scene.tell("BTC/USD");
  clock.set(2 * MINUTE_MS);
  await clock.advance(10_000);
  assert.equal(asked.length, 0);
  scene.tell("BTC/USD", { minute: 2 });
  await clock.advance(MINUTE_MS + 1_000);
  assert.equal(asked.length, 1);
  asked[0]!.answer(["stored"]);
  await stop(scene);
});

Deno.test("streams that another exchange of the same name replaces are closed before the end, and take nothing of the new ones along", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { clock, live, lines, source } = scene;
  await clock.advance(100);
  scene.change(["BTC/USD"], { isReplaced: true });
  await clock.advance(100);
  assert.equal(await scene.up(), 'titan10_stream_up{exchange="kraken"} 1');
  assert.equal(source.opened.length, 2);
  source.opened[1]!.finishClosing();
  let isStopped = false;
  const stopped = live.stop().then(() => isStopped = true);
  await clock.advance(1_000);
  assert.equal(isStopped, false, "the replaced ones are not closed yet");
  source.opened[0]!.finishClosing(new Error("no way"));
  await stopped;
  assert.deepEqual(lines, ["error streams were not closed"]);
  assert.equal(clock.sleepers, 0);
});

Deno.test("the end of replaced streams leaves the gauge of the new ones", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { clock, source } = scene;
  await clock.advance(100);
  scene.change(["BTC/USD"], { isReplaced: true });
  source.opened[0]!.finishClosing();
  await clock.advance(0);
  assert.equal(await scene.up(), 'titan10_stream_up{exchange="kraken"} 1');
  await stop(scene);
});

Deno.test("a series that is not streamed for a while is not stored with what was told of it before", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { asked, clock } = scene;
  scene.subscribe("BTC/USD");
  await clock.advance(2_500);
  scene.tell("BTC/USD");
  scene.change(["ETH/USD"]);
  await clock.advance(10_000);
  scene.change(["BTC/USD"]);
  await clock.advance(MINUTE_MS);
  assert.equal(asked.length, 0);
  await stop(scene);
});

Deno.test("candles that one table does not take are tried again, told of once, and leave those of others alone", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"], timeframes: "1m,1s" });
  const { asked, clock, lines } = scene;
  await clock.advance(2_000);
  for (let minute = -1; minute < 2; minute++) {
    scene.tell("BTC/USD", { minute, isClosed: true });
    scene.tell("BTC/USD", { minute, isClosed: true, timeframe: "1s" });
    await clock.advance(MINUTE_MS);
    for (const { action, answer } of asked) answer(/ohlcv_1s| 1s/.test(action) ? ["stored"] : AWAY);
    for (let beat = 0; beat < 20; beat++) {
      await clock.advance(100);
      for (const { action, answer } of asked) {
        answer(/ohlcv_1s| 1s/.test(action) ? ["stored"] : AWAY);
      }
    }
  }
  assert.equal(await scene.candles("stored"), 3);
  assert.deepEqual(lines.filter((line) => !line.startsWith("debug")), [
    "warn streamed candles were not stored",
  ]);
  assert.match(asked.at(-1)!.action, /store 3 streamed candles in ohlcv_1m/);
  await stop(scene);
});

Deno.test("candles that the database refuses for good are counted as dropped, and not tried again", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { asked, clock } = scene;
  await clock.advance(2_000);
  scene.tell("BTC/USD", { minute: -1, isClosed: true });
  await clock.advance(100);
  asked[0]!.answer(new StoreError("refused", "Cannot store: no such table"));
  await clock.advance(10_000);
  assert.equal(asked.length, 1);
  assert.equal(await scene.candles("dropped"), 1);
  await stop(scene);
});

Deno.test("a series of which a candle was dropped is not fresh before an answer, whatever is stored of it after", async () => {
  const scene = new Scene({ symbols: ["BTC/USD"] });
  const { archive, asked, clock, live } = scene;
  const [series] = archive.exchanges[0]!.markets.value!.series;
  scene.subscribe("BTC/USD");
  await clock.advance(2_100);
  for (let minute = 0; minute < 5; minute++) {
    await clock.advance(MINUTE_MS);
    scene.tell("BTC/USD", { minute, isClosed: true });
  }
  assert.equal(await scene.candles("dropped"), 1);
  for (let statement = 0; statement < 2; statement++) {
    await clock.advance(100);
    asked[statement]!.answer(["stored", "stored", "stored"]);
  }
  await clock.advance(MINUTE_MS);
  scene.tell("BTC/USD", { minute: 5, isClosed: true });
  await clock.advance(100);
  asked[2]!.answer(["stored"]);
  await clock.advance(100);
  assert.equal(live.isFresh(series!, clock.now()), false);
  live.noteAnswer(series!, {});
  assert.equal(live.isFresh(series!, clock.now()), true);
  await stop(scene);
});
