/** What a beginner does first, as it is written: init, run, add, forget. No settings but where the exchanges are, and how often they are asked. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { market } from "../../lib/local_exchange/local_symbol.ts";
import type { Status } from "../../lib/serve/status.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { binanceAt } from "../support/local_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { assertCode, run, type Running, start, withDirectory } from "../support/program.ts";

const DOLLARS = [
  market("BTC/USD", { tickDecimals: 1, price: 60_000, quoteVolume24h: 1_000_000 }),
  market("ETH/USD", { tickDecimals: 2, price: 3_000, quoteVolume24h: 1_000_000 }),
];

Deno.test("titan10 init && titan10 run is enough, and symbols come and go while it runs", async () => {
  const exchanges = [
    await startLocalExchange({ clock: systemClock }),
    await startLocalExchange({ clock: systemClock, dialect: kraken, symbols: DOLLARS }),
  ] as const;
  const env = {
    EXCHANGE_BINANCE: binanceAt(exchanges[0]),
    EXCHANGE_KRAKEN: JSON.stringify({ proxyUrl: exchanges[1].proxyUrl, rateLimit: 1 }),
    HTTP_PORT: "0",
    // Not a minute.
    POLL_CRON: "*/2 * * * * *",
  };
  try {
    await withDirectory(async (cwd) => {
      assertCode(await run(["init"], { cwd, env }), 0);
      const daemon = start(["run"], { cwd, env });
      try {
        await useIt(daemon, { cwd, env });
      } finally {
        daemon.kill("SIGTERM");
        assert.equal((await daemon.ended).code, 143, daemon.stderr());
      }
    });
  } finally {
    for (const exchange of exchanges) await exchange.close();
  }
});

async function useIt(
  daemon: Running,
  _place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const [, url = ""] = await daemon.waitFor(/(http:\/\/127\.0\.0\.1:\d+)/);
  const status = await untilStatus(
    url,
    ({ series }) => series.length === 8 && series.every(({ candles }) => candles > 0),
  );
  assert.deepEqual(
    [...new Set(status.series.map(({ exchange, symbol }) => `${exchange} ${symbol}`))],
    ["binance BTC/USDT", "binance ETH/USDT", "kraken BTC/USD", "kraken ETH/USD"],
  );
}

async function untilStatus(url: string, isIt: (status: Status) => boolean): Promise<Status> {
  for (;;) {
    const status: Status = await (await fetch(`${url}/status`)).json();
    if (isIt(status)) return status;
    await systemClock.sleep(200);
  }
}
