/** When another market under an archived symbol is believed. */
import assert from "node:assert/strict";
import type { Archive } from "../../lib/archive/archive.ts";
import type { Markets } from "../../lib/archive/markets_in_force.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { askTwice } from "../../lib/fetch/second_look.ts";
import { ManualClock } from "../support/manual_clock.ts";

const SECOND_MS = 1_000;

/** Asks for lists in which ETH/USDT means these markets, the archived one where it is undefined. */
async function look(
  ids: readonly (string | undefined)[],
  { retryMaxMs = 60 * SECOND_MS }: { readonly retryMaxMs?: number } = {},
): Promise<{ readonly believed: string | undefined; readonly askedMs: readonly number[] }> {
  const clock = new ManualClock({ startMs: 0 });
  const askedMs: number[] = [];
  const archive = {
    clock,
    config: { retry: { attempts: 1, minMs: 1, maxMs: retryMaxMs } },
    log: { warn: () => {} },
  } as unknown as Archive;
  const ask = (): Promise<{ readonly markets: Markets }> => {
    const marketId = ids[askedMs.length];
    askedMs.push(clock.now());
    const replaced = marketId === undefined
      ? []
      : [{ symbol: "ETH/USDT", formerId: "ETHUSDT", marketId }];
    return Promise.resolve({ markets: { exchange: "binance", replaced } as unknown as Markets });
  };
  const asking = askTwice(archive, ask, {});
  let isOver = false;
  void asking.then(() => isOver = true, () => isOver = true);
  while (!isOver) await clock.advance(SECOND_MS);
  const { markets } = await asking;
  return { believed: markets.replaced[0]?.marketId, askedMs };
}

Deno.test("a list without another market is believed at once", async () => {
  assert.deepEqual(await look([undefined]), { believed: undefined, askedMs: [0] });
});

Deno.test("another market is believed when a second list has it a minute later", async () => {
  const askedMs = [0, 60 * SECOND_MS];
  assert.deepEqual(await look(["ETH2", "ETH2"]), { believed: "ETH2", askedMs });
});

Deno.test("another market that a second list lacks is not believed", async () => {
  const { believed, askedMs } = await look(["ETH2", undefined]);
  assert.deepEqual([believed, askedMs.length], [undefined, 2]);
});

Deno.test("the second of two other markets must be seen twice, too", async () => {
  const { believed, askedMs } = await look(["ETH2", "ETH3", "ETH3"]);
  assert.deepEqual([believed, askedMs.length], ["ETH3", 3]);
});

Deno.test("lists that never agree are not used", async () => {
  await assert.rejects(
    look(["ETH2", "ETH3", "ETH2", "ETH3"]),
    (error) => error instanceof FetchError && error.kind === "transient",
  );
});

Deno.test("a shorter RETRY_MAX shortens the wait", async () => {
  const { askedMs } = await look(["ETH2", "ETH2"], { retryMaxMs: 5 * SECOND_MS });
  assert.deepEqual(askedMs, [0, 5 * SECOND_MS]);
});
