/** What the archive holds of the good exchange after all attacks, compared with the truth. @module */
import { systemClock } from "../../lib/clock.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { run } from "../support/program.ts";
import { GOOD_SYMBOLS, type Scene } from "./scene.ts";

const SECOND = parseTimeframe("1s");

/** One text for each series that differs; the daemon must have been stopped. */
export async function judge({ where, good }: Scene): Promise<readonly string[]> {
  const differences: string[] = [];
  for (const { symbol } of GOOD_SYMBOLS.slice(0, 2)) {
    const stored = new Map<number, string>();
    for (
      const row of await rows(
        where,
        `select extract(epoch from time)::bigint as at, open, high, low, close, volume
         from ohlcv_1s where exchange = 'binance' and symbol = '${symbol}' order by 1`,
      )
    ) {
      const [at, ...values] = row.split(",");
      stored.set(Number(at) * 1_000, values.map(Number).join(","));
    }
    const covered = await rows(
      where,
      `select extract(epoch from lower(r))::bigint as since, extract(epoch from upper(r))::bigint as until
       from checkpoints, unnest(covered) as r
       where exchange = 'binance' and symbol = '${symbol}' and timeframe = '1s'`,
    );
    if (stored.size === 0) differences.push(`${symbol}: nothing is stored`);
    const wrong = new Set<number>();
    const ranges = covered.map((range) => {
      const [sinceMs = NaN, untilMs = NaN] = range.split(",").map((text) => Number(text) * 1_000);
      return { sinceMs, untilMs };
    });
    const times = [...stored.keys()];
    // What is stored must be true anywhere, and what is covered must be stored.
    const reach = [{ sinceMs: times[0] ?? 0, untilMs: (times.at(-1) ?? -1_000) + 1_000 }];
    const truth = new Map(
      [...ranges, ...reach].flatMap((window) =>
        good.truth(symbol, SECOND, window, systemClock.now())
      ).map((candle) => [
        candle.openTimeMs,
        [candle.open, candle.high, candle.low, candle.close, candle.volume].map(Number).join(","),
      ]),
    );
    for (const [at, values] of stored) if (truth.get(at) !== values) wrong.add(at);
    for (const { sinceMs, untilMs } of ranges) {
      for (const at of truth.keys()) {
        if (at >= sinceMs && at < untilMs && !stored.has(at)) wrong.add(at);
      }
    }
    const [first] = wrong;
    if (first !== undefined) {
      differences.push(
        `${symbol}: ${wrong.size} candles differ, the first at ${new Date(first).toISOString()}`,
      );
    }
  }
  return differences;
}

async function rows(where: Scene["where"], text: string): Promise<readonly string[]> {
  const asked = await run(["query", "--csv", text], where);
  if (asked.code !== 0) throw new Error(`Cannot judge: ${asked.stderr}`);
  return asked.stdout.trim().split("\n").slice(1);
}
