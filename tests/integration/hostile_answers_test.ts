/** Answers that are made to fill the memory, or whose length is told falsely: over TCP to the real CCXT class. @module */
import assert from "node:assert/strict";
import { setTimeout as turn } from "node:timers/promises";
import { type ExchangeClient, openExchange } from "../../lib/exchange/client.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import type { MarketList } from "../../lib/exchange/market_list.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { NEXT, type Taken } from "../support/answer_reader.ts";
import { NOW_MS, withExchange } from "../support/dialects/local_client.ts";
import { HOSTILE_BODIES, hostileAnswer } from "../support/hostile_answers.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { type RawAnswer, rawAnswer, type RawServer, withRawServer } from "../support/raw_server.ts";

const PEAK_MB_MAX = 150;
/** Of answers one after the other, too: what is free is not always collected between them. */
const SUM_MB_MAX = 250;
/** Of answers that are refused: one of them, and the connections. */
const REFUSED_MB_MAX = 45;
/** On an idle machine a quarter of that. */
const BUSY_MS_MAX = 1_000;
const SINCE_MS = Date.UTC(2024, 5, 1, 11, 30);
const WINDOW = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * 60_000 };
const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

/** The true answers of a local exchange, with others in their place where `change` gives some. */
async function withChanged(
  change: (path: string, truth: () => Promise<Uint8Array>) => ReturnType<RawAnswer> | undefined,
  use: (server: RawServer) => Promise<void>,
): Promise<void> {
  await withExchange({}, async (exchange) => {
    const truthOf = async (path: string): Promise<Uint8Array> =>
      await (await fetch(exchange.url + path)).bytes();
    const answer = async function* (path: string): AsyncGenerator<Uint8Array> {
      const changed = change(path, () => truthOf(path));
      yield* changed ?? rawAnswer(await truthOf(path));
    };
    await withRawServer(answer, use);
  });
}

const KINDS: Readonly<Record<string, string>> = { candles: "klines", markets: "exchangeInfo" };

/** Every body once, of each packing some. */
const ANSWERS = HOSTILE_BODIES.map((body, at) => ({
  body,
  kind: at % 2 === 0 || body.startsWith("markets") ? "markets" : "candles",
  packing: [undefined, "gzip", "br", "gzip in members"][at % 4],
}));

Deno.test("no answer takes more than 150 MB, or the turn of others for long", async (t) => {
  for (const [at, taken] of (await takenBy(ANSWERS)).entries()) {
    const { kind, body, packing } = ANSWERS[at]!;
    await t.step(`${kind}: ${body}${packing === undefined ? "" : `, as ${packing}`}`, () => {
      const told = JSON.stringify(taken);
      assert(taken.peakMb <= PEAK_MB_MAX, told);
      assert(taken.sumMb <= SUM_MB_MAX, told);
      assert(taken.busyMs <= BUSY_MS_MAX, told);
    });
  }
});

Deno.test("what the largest lists leave is collected before the next ones are read", async () => {
  const largest = { body: "a list of lists of texts", kind: "markets", packing: undefined };
  const all = await takenBy(Array.from({ length: 6 }, () => largest));
  const sums = all.map(({ sumMb }) => sumMb);
  assert(sums.every((mb) => mb <= SUM_MB_MAX), `${sums.join(", ")} MB: ${all[0]!.outcome}`);
});

Deno.test("answers that are refused for their length leave nothing behind", async () => {
  const long = { body: "rows like candles", kind: "candles", packing: undefined };
  const all = await takenBy(Array.from({ length: 6 }, () => long));
  assert.match(all[0]!.outcome, /the answer is longer than/);
  const sums = all.map(({ sumMb }) => sumMb);
  assert(sums.every((mb) => mb <= REFUSED_MB_MAX), `${sums.join(", ")} MB`);
});

/** What each of these answers takes of a process that reads them one after the other with the program's own flags. */
async function takenBy(answers: typeof ANSWERS): Promise<readonly Taken[]> {
  let at = -1;
  const change = (path: string): Iterable<Uint8Array> | undefined => {
    if (path === NEXT) {
      at++;
      return rawAnswer(new Uint8Array());
    }
    const made = answers[at];
    if (made === undefined || !path.includes(KINDS[made.kind]!)) return undefined;
    const { body, headers } = hostileAnswer(made.body, made.packing);
    return rawAnswer(body, {
      headers: Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    });
  };
  let taken: readonly Taken[] = [];
  await withChanged(change, async ({ url }) => {
    const script = new URL("../support/answer_reader.ts", import.meta.url).pathname;
    const { stdout, stderr, code } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", await engineFlags()],
        ...["--allow-net", "--allow-env", "--allow-read", "--allow-run", "--allow-sys", script],
        ...[url, ...answers.map(({ kind }) => kind)],
      ],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    taken = JSON.parse(new TextDecoder().decode(stdout));
  });
  assert.equal(taken.length, answers.length);
  return taken;
}

/** Those of V8 by which the program bounds its memory. */
async function engineFlags(): Promise<string> {
  const { tasks } = JSON.parse(await Deno.readTextFile("deno.json"));
  const flags = (tasks.titan10.command as string).split(" ");
  return flags.find((word) => word.startsWith("--v8-flags=")) ?? assert.fail("no flags of V8");
}

/** How the length of an answer is told, and what comes of it: rows, or an error. */
const LENGTHS: Readonly<
  Record<string, { headers: (length: number) => string[]; chunked?: boolean; fails?: RegExp }>
> = {
  "true": { headers: (length) => [`content-length: ${length}`] },
  "too small": { headers: () => ["content-length: 20"], fails: /not complete JSON/ },
  "too large": { headers: (length) => [`content-length: ${length + 10}`], fails: /Cannot fetch/ },
  "huge": { headers: () => ["content-length: 99999999999"], fails: /Cannot fetch/ },
  "negative": { headers: () => ["content-length: -1"], fails: /Cannot fetch/ },
  "no number": { headers: () => ["content-length: ten"], fails: /Cannot fetch/ },
  "twice, and differently": {
    headers: (length) => [`content-length: ${length}`, "content-length: 20"],
    fails: /Cannot fetch/,
  },
  "beside chunks": {
    headers: (length) => [`content-length: ${length}`, "transfer-encoding: chunked"],
    chunked: true,
    fails: /Cannot fetch.*both a Content-Length and a Transfer-Encoding/,
  },
  "as chunks": { headers: () => ["transfer-encoding: chunked"], chunked: true },
};

Deno.test("what an answer says of its length is not believed", async (t) => {
  let told: (typeof LENGTHS)[string] | undefined;
  const change = (
    path: string,
    truth: () => Promise<Uint8Array>,
  ): AsyncIterable<Uint8Array> | undefined =>
    told === undefined || !path.includes("klines") ? undefined : withLength(told, truth);
  await withChanged(change, async ({ url }) => {
    const { client, list } = await openAt(url);
    for (const [name, length] of Object.entries(LENGTHS)) {
      told = length;
      await t.step(name, async () => {
        const page = client.fetchCandles(SERIES, WINDOW, { list });
        if (length.fails === undefined) assert.equal((await page).rows.length, 5);
        else await assert.rejects(page, length.fails);
      });
    }
  });
});

Deno.test("a long answer that trickles waits alone, and gives its place back at its deadline", async () => {
  let isTrickling = false;
  const trickling = Promise.withResolvers<void>();
  const change = (path: string): AsyncIterable<Uint8Array> | undefined =>
    isTrickling && path.includes("exchangeInfo") ? endless(trickling.resolve) : undefined;
  await withChanged(change, async ({ url }) => {
    const { client, list } = await openAt(url);
    isTrickling = true;
    const deadline = new AbortController();
    const slow = [1, 2, 3].map(() => client.loadMarkets({ signal: deadline.signal }));
    await trickling.promise;
    assert.equal((await client.fetchCandles(SERIES, WINDOW, { list })).rows.length, 5);
    deadline.abort(new Error("too late"));
    const ends = await Promise.allSettled(slow);
    assert.deepEqual(ends.map(({ status }) => status), ["rejected", "rejected", "rejected"]);
    isTrickling = false;
    assert((await client.loadMarkets()).has("BTC/USDT"));
  });
});

Deno.test("an exchange that stops in the middle of a long answer does not keep the lists of others waiting", async () => {
  await withLongMarkets(async ({ url }) => {
    const clock = new ManualClock({ startMs: NOW_MS });
    const sent = Promise.withResolvers<void>();
    await withRawServer(() => endless(sent.resolve), async (stalled) => {
      const slow = await openClient(stalled.url, clock);
      const other = await openClient(url, clock);
      const cut = assert.rejects(slow.loadMarkets(), (error: Error) => {
        assert(error instanceof FetchError && error.kind === "transient" && !error.isUnknown);
        assert.match(
          error.message,
          /^Cannot load the markets of binance: the answer does not go on, and other/,
        );
        return true;
      });
      await sent.promise;
      // It has got its share, and is watched.
      while (clock.sleepers === 0) await turn(1);
      // Long before the deadline of the first, of which there is none here.
      let isLoaded = false;
      const loaded = other.loadMarkets().finally(() => isLoaded = true);
      while (!isLoaded) {
        assert(clock.now() - NOW_MS < 20_000, "it waits for the other's deadline");
        await clock.advance(1_000);
        // Its requests take real time, on a busy machine more than a turn for each second of the clock.
        for (let turns = 0; turns < 50 && !isLoaded; turns++) await turn(2);
      }
      assert((await loaded).has("BTC/USDT"));
      await cut;
      assert.equal(clock.sleepers, 0);
    });
  });
});

/** A local exchange whose list of markets is longer than what is read without waiting for others. */
async function withLongMarkets(use: (server: RawServer) => Promise<void>): Promise<void> {
  const change = (
    path: string,
    truth: () => Promise<Uint8Array>,
  ): AsyncIterable<Uint8Array> | undefined =>
    path.includes("exchangeInfo") ? padded(truth) : undefined;
  await withChanged(change, use);
}

async function* padded(truth: () => Promise<Uint8Array>): AsyncGenerator<Uint8Array> {
  const text = new TextDecoder().decode(await truth());
  yield* rawAnswer(new TextEncoder().encode(text.padEnd(2_000_000)));
}

/** The true candles, with these words on how long they are. */
async function* withLength(
  { headers, chunked }: (typeof LENGTHS)[string],
  truth: () => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const body = await truth();
  yield* rawAnswer(chunked === true ? chunk(body) : body, { headers: headers(body.length) });
}

/** Two megabytes, and then nothing more. */
async function* endless(onSent: () => void): AsyncGenerator<Uint8Array> {
  const [head = new Uint8Array()] = rawAnswer(new Uint8Array(), {
    headers: ["content-length: 9000000"],
  });
  yield head;
  yield new TextEncoder().encode(`[${" ".repeat(2_000_000)}`);
  onSent();
  await new Promise(() => {});
}

async function openAt(
  url: string,
): Promise<{ readonly client: ExchangeClient; readonly list: MarketList }> {
  const client = await openClient(url, new ManualClock({ startMs: NOW_MS }));
  return { client, list: await client.loadMarkets() };
}

async function openClient(url: string, clock: ManualClock): Promise<ExchangeClient> {
  const config = { urls: { api: { public: `${url}/api/v3` } } };
  return await openExchange("binance", { clock, config });
}

function chunk(body: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(body);
  return new TextEncoder().encode(`${body.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`);
}
