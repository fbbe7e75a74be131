/**
 * A program that asks the exchange at a URL for its markets, and then for candles, tickers or markets as often as it is
 * told, and prints what each answer took: most memory above rest, longest time without a turn for others.
 *
 * Arguments: the URL, and `candles`, `tickers` or `markets` once for every answer.
 * @module
 */
import process from "node:process";
import { systemClock } from "../../lib/clock.ts";
import { openExchange } from "../../lib/exchange/client.ts";
import type { ExchangeClient } from "../../lib/exchange/client.ts";
import type { MarketList } from "../../lib/exchange/market_list.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { forgetPeak, peakSoFar } from "./peak_memory.ts";

/** What one answer took. */
export interface Taken {
  readonly kind: string;
  /** Above what was resident before it. */
  readonly peakMb: number;
  /** Above what was resident before the first answer. */
  readonly sumMb: number;
  /** Time of the processor in one turn. */
  readonly busyMs: number;
  readonly outcome: string;
}

/** Asked for before each answer. */
export const NEXT = "/next";

const BEAT_MS = 5;
const SINCE_MS = Date.UTC(2024, 5, 1, 11, 30);

async function main([url = "", ...kinds]: readonly string[]): Promise<void> {
  const client = await openExchange("binance", {
    clock: systemClock,
    config: { urls: { api: { public: `${url}/api/v3` } } },
  });
  const list = await client.loadMarkets();
  await ask(client, list, "candles");
  await forgetPeak(Deno.pid);
  const startBytes = await peakSoFar(Deno.pid);
  const taken: Taken[] = [];
  for (const kind of kinds) {
    await forgetPeak(Deno.pid);
    const restBytes = await peakSoFar(Deno.pid);
    await (await fetch(url + NEXT)).body?.cancel();
    const beat = new Beat();
    const outcome = await ask(client, list, kind);
    const busyMs = await beat.stop();
    const peakBytes = await peakSoFar(Deno.pid);
    taken.push({
      kind,
      peakMb: Math.round((peakBytes - restBytes) / 1e6),
      sumMb: Math.round((peakBytes - startBytes) / 1e6),
      busyMs: Math.round(busyMs),
      outcome,
    });
  }
  console.log(JSON.stringify(taken));
  Deno.exit(0);
}

async function ask(client: ExchangeClient, list: MarketList, kind: string): Promise<string> {
  const signal = AbortSignal.timeout(30_000);
  const series = { exchange: client.id, symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };
  const window = { sinceMs: SINCE_MS, untilMs: SINCE_MS + 5 * 60_000 };
  try {
    if (kind === "markets") return `${(await client.loadMarkets({ signal })).size} markets`;
    if (kind === "tickers") {
      return String(await client.topSymbols(list, { tops: [{ count: 3 }], signal }));
    }
    return `${(await client.fetchCandles(series, window, { list, signal })).rows.length} rows`;
  } catch (error) {
    return String(error).slice(0, 400);
  }
}

/** Measures how long the event loop has been busy at most between two turns. */
class Beat {
  #isOver = false;
  #longestMs = 0;
  readonly #beating: Promise<void>;

  constructor() {
    this.#beating = this.#run();
  }

  async #run(): Promise<void> {
    let last = turn();
    while (!this.#isOver) {
      await systemClock.sleep(BEAT_MS);
      const now = turn();
      // Of a machine with other work the clock tells too much, and of several threads the processor.
      const busyMs = Math.min(now.wallMs - last.wallMs - BEAT_MS, now.cpuMs - last.cpuMs);
      this.#longestMs = Math.max(this.#longestMs, busyMs);
      last = now;
    }
  }

  async stop(): Promise<number> {
    this.#isOver = true;
    await this.#beating;
    return this.#longestMs;
  }
}

function turn(): { readonly wallMs: number; readonly cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}

if (import.meta.main) await main(Deno.args);
