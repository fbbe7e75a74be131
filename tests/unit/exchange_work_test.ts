import assert from "node:assert/strict";
import { ExchangeWork } from "../../lib/archive/exchange_work.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { type Series, seriesName } from "../../lib/market/series.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const [BTC, ETH] = ["BTC/USDT", "ETH/USDT"].map((symbol): Series => ({
  exchange: "binance",
  symbol,
  timeframe: parseTimeframe("1m"),
})) as [Series, Series];

const isCancelled = (error: unknown): boolean =>
  error instanceof FetchError && error.kind === "cancelled";

/** Work that ends when it is told to, also some time after it was aborted, as a write does. */
function scene(): {
  readonly work: ExchangeWork;
  readonly begin: (series?: Series, signal?: AbortSignal) => {
    readonly result: Promise<string>;
    readonly end: () => void;
    readonly isAborted: () => boolean;
  };
} {
  const work = new ExchangeWork("binance");
  return {
    work,
    begin: (series, signal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      let inner: AbortSignal | undefined;
      const result = work.run({ series, signal }, async (given) => {
        inner = given;
        await promise;
        given.throwIfAborted();
        return "done";
      });
      result.catch(() => {});
      return { result, end: resolve, isAborted: () => inner?.aborted === true };
    },
  };
}

Deno.test("work for a series that is not wanted any more is ended and waited for, that for others goes on", async () => {
  const { work, begin } = scene();
  const { wants } = work;
  const [btc, eth] = [begin(BTC), begin(ETH)];
  let isOver = false;
  const withdrawn = work.withdraw([seriesName(BTC)]).then(() => isOver = true);
  assert.deepEqual([btc.isAborted(), eth.isAborted(), wants.aborted], [true, false, true]);
  await Promise.resolve();
  assert.equal(isOver, false);
  btc.end();
  await withdrawn;
  await assert.rejects(btc.result, isCancelled);
  await assert.rejects(begin(BTC).result, isCancelled);
  eth.end();
  assert.equal(await eth.result, "done");
  assert.equal(work.wants.aborted, false);

  work.admit([BTC]);
  const again = begin(BTC);
  again.end();
  assert.equal(await again.result, "done");
});

Deno.test("work under way goes on when another client takes the place of this one, and no more pages begin", async () => {
  const { work, begin } = scene();
  const page = begin(BTC);
  work.retire();
  assert.equal(work.wants.aborted, true);
  await assert.rejects(begin(ETH).result, isCancelled);
  const request = begin();
  for (const one of [page, request]) one.end();
  assert.deepEqual(await Promise.all([page.result, request.result]), ["done", "done"]);
});

Deno.test("of an exchange that is gone all work is ended, also that which concerns no series", async () => {
  const { work, begin } = scene();
  const all = [begin(BTC), begin()];
  const ended = work.end();
  for (const one of all) one.end();
  await ended;
  for (const one of all) await assert.rejects(one.result, isCancelled);
  await assert.rejects(begin().result, isCancelled);
});

Deno.test("the caller's own signal ends its work with its own reason", async () => {
  const { begin } = scene();
  const stopping = new AbortController();
  const one = begin(BTC, stopping.signal);
  stopping.abort(new Error("stopping"));
  one.end();
  await assert.rejects(one.result, /stopping/);
  await assert.rejects(begin(BTC, stopping.signal).result, /stopping/);
});

Deno.test("work for a symbol that another node gets begins nothing new, and what was sent is not cut off", async () => {
  const held = new Set(["BTC/USDT", "ETH/USDT"]);
  const share = { mayAsk: true, holds: (symbol: string): boolean => held.has(symbol) };
  const work = new ExchangeWork("binance", share);
  const { wants } = work;
  const sent = Promise.withResolvers<void>();
  let signals: readonly AbortSignal[] = [];
  const page = work.run({ series: BTC }, async (...given) => {
    signals = given;
    await sent.promise;
    return "stored";
  });
  const waiting = work.run(
    { series: BTC },
    (_, waits) =>
      new Promise((_, reject) =>
        waits.addEventListener("abort", () => reject(waits.reason), { once: true })
      ),
  );
  waiting.catch(() => {});
  held.delete("BTC/USDT");
  let hasLeft = false;
  const left = work.leave().then(() => hasLeft = true);
  await assert.rejects(waiting, isCancelled);
  assert.deepEqual(signals.map(({ aborted }) => aborted), [false, true]);
  await assert.rejects(work.run({ symbol: "BTC/USDT" }, () => Promise.resolve()), isCancelled);
  const compared = work.run({ series: BTC, isBeyondShare: true }, () => Promise.resolve("asked"));
  assert.equal(await compared, "asked");
  assert.deepEqual([hasLeft, wants.aborted], [false, false]);
  sent.resolve();
  assert.equal(await page, "stored");
  await left;
  assert.equal(await work.run({ series: ETH }, () => Promise.resolve("done")), "done");
});

Deno.test("where another node asks the exchange, long work begins anew and nothing is begun", async () => {
  const share = { mayAsk: true, holds: (): boolean => share.mayAsk };
  const work = new ExchangeWork("binance", share);
  const { wants } = work;
  share.mayAsk = false;
  await work.leave();
  assert.equal(wants.aborted, true);
  await assert.rejects(work.run({}, () => Promise.resolve()), isCancelled);
});
