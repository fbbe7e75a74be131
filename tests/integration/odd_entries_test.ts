/** Odd markets and tickers among true ones: the real CCXT classes over HTTP. @module */
import assert from "node:assert/strict";
import { type ExchangeClient, openExchange } from "../../lib/exchange/client.ts";
import { LOCAL_SYMBOLS, market } from "../../lib/local_exchange/local_symbol.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { NOW_MS, STILL_CLOCK } from "../support/dialects/local_client.ts";
import { TESTED_DIALECTS } from "../support/dialects/tested_dialects.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { ManualClock } from "../support/manual_clock.ts";
import { withOddEntries } from "../support/odd_entries.ts";

Deno.test("odd entries in lists of markets and tickers cost no other market, and are not chosen", async (t) => {
  // Most entries are good, as in every list.
  const [{ base: _base, quote: _quote, symbol: _symbol, ...facts }] = LOCAL_SYMBOLS as [
    typeof LOCAL_SYMBOLS[number],
  ];
  const more = Array.from({ length: 60 }, (_, at) => market(`COIN${at}/USDT`, facts));
  const exchange = await startLocalExchange({
    clock: STILL_CLOCK,
    dialect: TESTED_DIALECTS,
    symbols: [...LOCAL_SYMBOLS, ...more],
  });
  let isOdd = false;
  try {
    await withFront(exchange, (body) => isOdd ? withOddEntries(body) : undefined, async (front) => {
      for (const { exchange: id } of TESTED_DIALECTS) {
        await t.step(id, async () => {
          const options = { clock: new ManualClock({ startMs: NOW_MS }), proxyUrl: front.proxyUrl };
          isOdd = false;
          const truth = await chosenOf(await openExchange(id, options));
          isOdd = true;
          const odd = await chosenOf(await openExchange(id, options));
          assert.deepEqual(odd.top, truth.top);
          for (const symbol of truth.symbols) assert(odd.symbols.includes(symbol), symbol);
        });
      }
    });
  } finally {
    await exchange.close();
  }
});

async function chosenOf(
  client: ExchangeClient,
): Promise<{ readonly symbols: readonly string[]; readonly top: readonly string[] }> {
  const list = await client.loadMarkets();
  return { symbols: [...list.keys()], top: await client.topSymbols(list, { count: 3 }) };
}
