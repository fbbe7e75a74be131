/** The notebook of the documents, executed against a dataset, a daemon and a server. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { makeKnownArchive } from "../support/known_archive.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { PYTHON } from "../support/moto_server.ts";
import { executeNotebook } from "../support/notebook.ts";
import { assertCode, run, start, withArchiveDirectory } from "../support/program.ts";
import { openPostgres } from "../support/test_database.ts";

const NOTEBOOK = new URL("../../docs/titan10.ipynb", import.meta.url);

const [SINCE, UNTIL] = ["2024-02-29T12:00:00Z", "2024-03-03T00:00:00Z"];

/** Where to look for pictures that a person wants to see. */
const PICTURES = Deno.env.get("TITAN10_PICTURES");

async function fill(place: { readonly url?: string; readonly dataDir: string }): Promise<number> {
  const { url, dataDir } = place;
  const database = await openDatabase({ url, dataDir, poolMax: 1, clock: systemClock });
  try {
    await makeKnownArchive(database);
    const [row] = await database.run(
      "count the candles",
      (sql) =>
        sql<{ readonly candles: number }[]>`
        select count(*)::int as candles from ohlcv
        where timeframe = '5m' and exchange = 'binance' and symbol = 'BTC/USDT'
          and time >= ${SINCE}::timestamptz and time < ${UNTIL}::timestamptz`,
    );
    return row!.candles;
  } finally {
    await database.close();
  }
}

Deno.test({
  name:
    "the notebook reads the same of a dataset, a daemon and a server, and draws it with its holes",
  ignore: PYTHON === "",
  fn: async () => {
    const server = await openPostgres();
    const exchange = await startLocalExchange({ clock: systemClock });
    try {
      await withArchiveDirectory(async (cwd) => {
        const candles = await fill({ dataDir: `${cwd}/titan10-data` });
        if (server !== undefined) {
          assert.equal(await fill({ url: server.url, dataDir: "" }), candles);
        }
        const env = {
          EXCHANGES: "binance",
          SYMBOLS: "SOL/USDT",
          TIMEFRAMES: "1d",
          BACKFILL: "off",
          LIVE: "off",
          HTTP_PORT: "0",
          HTTP_TOKEN: "0123456789abcdef",
          LOG_FORMAT: "json",
          EXCHANGE_PROXY_URL: exchange.proxyUrl,
          EXCHANGE_BINANCE: JSON.stringify({ rateLimit: 1 }),
        };
        assertCode(
          await run(["export", "--dataset", "dataset", "--timeframe", "5m"], { cwd, env }),
          0,
        );
        const daemon = start(["run"], { cwd, env });
        try {
          const [, url = ""] = await daemon.waitFor(/"url":"(http:[^"]+)"/);
          await daemon.waitFor(/"message":"job done".*"job":"poll"/);
          const { text, pictures } = await executeNotebook(NOTEBOOK, {
            cwd,
            env: {
              TITAN10_DATASET: `${cwd}/dataset`,
              TITAN10_URL: url,
              HTTP_TOKEN: env.HTTP_TOKEN,
              ...(server !== undefined && { DATABASE_URL: server.url }),
              TITAN10_TIMEFRAME: "5m",
              TITAN10_SINCE: SINCE,
              TITAN10_UNTIL: UNTIL,
            },
          });
          const sources = ["dataset", "daemon", ...(server === undefined ? [] : ["server"])];
          const holes = "3 holes, missing: {'no_trades': 6, 'owed': 144, 'rejected': 1}";
          for (const source of sources) {
            assert(text.includes(`${source}: ${candles} candles, ${holes}`), text);
          }
          for (const [at, other] of sources.slice(1).entries()) {
            const same = `${sources[at]} and ${other}: ${candles} of ${candles} candles`;
            assert(text.includes(same), text);
          }
          assert.equal(pictures.length, sources.length);
          for (const [at, picture] of pictures.entries()) {
            assert.equal(new TextDecoder("latin1").decode(picture.subarray(1, 4)), "PNG");
            if (PICTURES !== undefined) {
              await Deno.writeFile(`${PICTURES}/${sources[at]}.png`, picture);
            }
          }
        } finally {
          daemon.kill("SIGTERM");
          assert.equal((await daemon.ended).code, 143, daemon.stderr());
        }
      });
    } finally {
      await exchange.close();
      await server?.stop();
    }
  },
});

Deno.test({
  name: "the notebook says what is not set, and that no daemon answers, instead of failing",
  ignore: PYTHON === "",
  fn: () =>
    withArchiveDirectory(async (cwd) => {
      const { text, pictures } = await executeNotebook(NOTEBOOK, {
        cwd,
        env: { TITAN10_URL: "http://127.0.0.1:1" },
      });
      assert.match(text, /TITAN10_DATASET is not set/);
      assert.match(text, /http:\/\/127\.0\.0\.1:1 does not answer .*start titan10 demo/);
      assert.match(text, /DATABASE_URL is not set/);
      assert.equal(pictures.length, 0);
    }),
});
