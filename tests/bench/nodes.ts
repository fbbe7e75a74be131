/** Pages of three nodes with three addresses, against those of one, from an exchange that limits each address. @module */
import { systemClock } from "../../lib/clock.ts";
import { askedTwice, candleRequests } from "../nodes/asked.ts";
import { CANDLES_COST } from "../nodes/scene.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { manyMarkets } from "../support/many_exchanges.ts";
import { createServerDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";
import type { Bench, Result } from "./bench.ts";
import { startProgram } from "./program.ts";

const EGRESSES = ["127.0.0.2", "127.0.0.3", "127.0.0.4"] as const;

/** Of one address. Few, so that neither this machine's processors nor the server are what limits three nodes. */
const REQUESTS_A_SECOND = 8;
const PAGE_ROWS = 500;
const SYMBOLS = 12;

/** Nodes that have all asked are counted for this long. */
const COUNTED_MS = 30_000;
const COUNTED_MS_MIN = 3_000;

/** What is younger may not be final, and is asked for again. */
const YOUNG_MS = 10 * 60_000;

interface Counted {
  readonly pagesASecond: number;
  readonly askedTwice: number;
}

export const nodes: Bench = {
  name: "q nodes",
  async run({ opened: { url }, scale }): Promise<readonly Result[]> {
    if (url === undefined) {
      console.error(`${this.name}: needs --server, which nodes share`);
      return [];
    }
    const forMs = Math.max(COUNTED_MS_MIN, COUNTED_MS * scale);
    const one = await countPages(url, { egresses: EGRESSES.slice(0, 1), forMs });
    const three = await countPages(url, { egresses: EGRESSES, forMs });
    return [{
      bench: `${this.name}: pages of three with an address each`,
      value: Number(three.pagesASecond.toFixed(1)),
      unit: "pages/s",
      ratio: three.pagesASecond / one.pagesASecond,
      against: `one node, ${one.pagesASecond.toFixed(1)} pages/s of ${REQUESTS_A_SECOND} that an ` +
        `address is allowed; ${three.askedTwice} windows were asked twice`,
    }];
  },
};

async function countPages(
  serverUrl: string,
  { egresses, forMs }: { readonly egresses: readonly string[]; readonly forMs: number },
): Promise<Counted> {
  const startMs = systemClock.now();
  const exchange = await startLocalExchange({
    clock: systemClock,
    symbols: manyMarkets(SYMBOLS),
    rateLimit: { perSecond: 2 * REQUESTS_A_SECOND, eachVisitor: true },
  });
  const { url, drop } = await createServerDatabase(serverUrl);
  const cwd = await Deno.makeTempDir({ prefix: "titan10-bench-" });
  const running = egresses.map((egress) =>
    startProgram(["run"], {
      ...settingsOf(exchange),
      DATABASE_URL: url,
      EGRESS: egress,
      DATA_DIR: cwd,
    })
  );
  try {
    const history = (): readonly { readonly visitor: string; readonly timeMs: number }[] =>
      candleRequests(exchange.requests, "1m");
    await until("pages of each node", async () => {
      await systemClock.sleep(50);
      return new Set(history().map(({ visitor }) => visitor)).size === egresses.length;
    });
    const sinceMs = systemClock.now();
    await systemClock.sleep(forMs);
    const pages = history().filter(({ timeMs }) => sinceMs <= timeMs && timeMs < sinceMs + forMs);
    const { unpardoned } = askedTwice(exchange.requests, {
      untilMs: startMs - YOUNG_MS,
      pardons: [],
    });
    return { pagesASecond: pages.length / forMs * 1_000, askedTwice: unpardoned.length };
  } finally {
    await Promise.all(running.map((node) => node.stop()));
    await drop();
    await exchange.close();
    await Deno.remove(cwd, { recursive: true });
  }
}

function settingsOf({ url }: LocalExchange): Readonly<Record<string, string>> {
  return {
    EXCHANGES: "binance",
    SYMBOLS: manyMarkets(SYMBOLS).map(({ symbol }) => symbol).join(","),
    // Polled once a day, so that nearly all that is asked for is history.
    TIMEFRAMES: "1d",
    BACKFILL: "1m:3y",
    PAGE_LIMIT: String(PAGE_ROWS),
    HISTORY: "off",
    HTTP_PORT: "0",
    EXCHANGE_BINANCE: JSON.stringify({
      urls: { api: { public: `${url}/api/v3` } },
      rateLimit: 1_000 / REQUESTS_A_SECOND / CANDLES_COST,
    }),
  };
}
