/** A series of which every row is rejected is not "ok": the real commands, real CCXT over HTTP, a real database. @module */
import assert from "node:assert/strict";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { kucoin } from "../support/dialects/kucoin.ts";
import { withFront } from "../support/fronted_exchange.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { TestClock } from "../support/test_clock.ts";

const HOUR_S = 3_600;
const DAY_S = 24 * HOUR_S;

/** A row of KuCoin's, and what stands in its place. Times are seconds. */
type RowChange = (row: string[]) => readonly string[];

interface Case {
  readonly timeframes: string;
  readonly backfill: string;
  /** `type` of the requests whose rows are changed. */
  readonly type: string;
  readonly change: RowChange;
  readonly reason: string;
  /** How often a repair asks again before the gaps are explained. @default 0 */
  readonly asks?: number;
  /** What is archived all the same. */
  readonly sound?: string;
}

const later = (seconds: number): RowChange => ([time, ...values]) => [
  String(Number(time) + seconds),
  ...values,
];

const CASES: Readonly<Record<string, Case>> = {
  "weeks that open on Thursday": {
    timeframes: "1w",
    backfill: "1w:1y",
    type: "1week",
    change: later(3 * DAY_S),
    reason: "time_not_aligned",
  },
  "days of Hong Kong beside hours that are well": {
    timeframes: "1h,1d",
    backfill: "1h:2d,1d:60d",
    type: "1day",
    change: later(16 * HOUR_S),
    reason: "time_not_aligned",
    sound: "1h",
  },
  "days of New York, with summer time": {
    timeframes: "1d",
    backfill: "1d:60d",
    type: "1day",
    change: (row) => later((Number(row[0]) < Date.UTC(2024, 2, 10) / 1000 ? 5 : 4) * HOUR_S)(row),
    reason: "time_not_aligned",
  },
  "months of Singapore": {
    timeframes: "1M",
    backfill: "1M:3y",
    type: "1month",
    change: later(-8 * HOUR_S),
    reason: "time_not_aligned",
  },
  "prices below zero": {
    timeframes: "1h",
    backfill: "1h:3d",
    type: "1hour",
    change: ([time, open, close, high, , ...rest]) => [time!, open!, close!, high!, "-1", ...rest],
    reason: "price_not_positive",
    asks: 2,
  },
};

for (
  const [name, { timeframes, backfill, type, change, reason, sound, asks = 0 }] of Object.entries(
    CASES,
  )
) {
  Deno.test(`${name} end as rejected gaps, and no command calls them well`, () =>
    withAnyArchivePlace(async (place) => {
      const clock = new TestClock();
      const exchange = await startLocalExchange({ clock, dialect: kucoin });
      const onAnswer = (body: string, path: string): string | undefined => {
        if (!path.includes("market/candles") || !path.includes(`type=${type}`)) return undefined;
        const answer = JSON.parse(body);
        return JSON.stringify({ ...answer, data: answer.data.map(change) });
      };
      try {
        await withFront(exchange, onAnswer, async ({ proxyUrl, asked }) => {
          const env = {
            ...place.env,
            EXCHANGES: "kucoin",
            SYMBOLS: "BTC/USDT",
            TIMEFRAMES: timeframes,
            BACKFILL: backfill,
            EXCHANGE_PROXY_URL: proxyUrl,
            EXCHANGE_KUCOIN: JSON.stringify({ rateLimit: 1 }),
          };
          const command = (...args: readonly string[]): Promise<CommandResult> =>
            runInProcess(args, env, undefined, "", clock);
          const bad = timeframes.split(",").at(-1)!;
          const filled = await command("backfill");
          assert.equal(filled.code, 1, filled.stdout + filled.stderr);
          const said = `kucoin BTC/USDT ${bad}: none of \\d+ rows could be stored \\(${reason}\\)`;
          assert.match(filled.stdout, new RegExp(said));

          const { gaps: found } = JSON.parse((await command("gaps", "--json")).stdout);
          for (const { state, attempts } of found) {
            // That a row opens at another time does not pass. A bad value may, so it is asked for as often as any gap.
            assert.deepEqual([state, attempts], asks === 0 ? ["rejected", 2] : ["suspected", 0]);
          }
          for (let ask = 0; ask < asks; ask++) {
            clock.pass(10 * 60_000);
            assert.equal((await command("gaps", "--repair")).code, 0);
          }
          const { gaps } = JSON.parse((await command("gaps", "--json")).stdout);
          const { series } = JSON.parse((await command("status", "--json")).stdout);
          for (const { timeframe, state } of gaps) {
            assert.deepEqual([timeframe, state], [bad, "rejected"]);
          }
          const missing = gaps.reduce(
            (sum: number, gap: { missing: number }) => sum + gap.missing,
            0,
          );
          for (const { timeframe, owed, candles, reasons } of series) {
            assert.equal(owed, 0, timeframe);
            if (timeframe === sound) assert.ok(candles > 0, `${timeframe} is archived`);
            else assert.deepEqual([candles, reasons], [0, { rejected: missing }]);
          }
          assert.ok(missing > 10, `${missing} candles`);

          const checkup = await command("doctor");
          assert.equal(checkup.code, 1);
          const lines = checkup.stdout.replaceAll(/\n {10,}/g, " ");
          assert.match(
            lines,
            new RegExp(`WRONG +candles +none of the .* BTC/USDT ${bad} .*${reason}`),
          );

          const before = asked.filter((path) => path.includes("market/candles")).length;
          assert.equal((await command("backfill")).code, 1, "still nothing is stored");
          const after = asked.filter((path) => path.includes("market/candles")).length;
          assert.equal(after, before, "nothing more is asked for");
        });
      } finally {
        await exchange.close();
      }
    }));
}
