/** How often an exchange is asked for funding rates, where it counts these requests apart. */
import assert from "node:assert/strict";
import type { Clock } from "../../lib/clock.ts";
import { openExchange } from "../../lib/exchange/client.ts";

/** Passes as it is waited for. */
function waitedClock(): Clock {
  let nowMs = Date.UTC(2024, 2, 15);
  return {
    now: () => nowMs,
    sleep: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  };
}

Deno.test("binance is asked for funding rates 500 times in five minutes at most, as it documents", async () => {
  const clock = waitedClock();
  const client = await openExchange("binance", { clock });
  const startMs = clock.now();
  for (let request = 0; request <= 500; request++) await client.pauseFunding();
  assert.equal(clock.now() - startMs, 5 * 60_000);
});

Deno.test("who counts funding rates like any other request is not asked less often", async () => {
  const clock = waitedClock();
  const client = await openExchange("bybit", { clock });
  const startMs = clock.now();
  for (let request = 0; request <= 500; request++) await client.pauseFunding();
  assert.equal(clock.now(), startMs);
});
