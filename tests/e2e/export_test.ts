/** Many candles leave the archive, and neither the program nor the daemon needs room for them. @module */
import assert from "node:assert/strict";
import { tableFromIPC } from "@uwdata/flechette";
import { parquetReadObjects } from "hyparquet";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { assertCode, run, type Running, start, withArchiveDirectory } from "../support/program.ts";
import { peakOf } from "../support/peak_memory.ts";
import { seed } from "../support/seeded.ts";
import { openPostgres } from "../support/test_database.ts";
import { until } from "../support/until.ts";

/** The embedded server takes its time. */
const CANDLES = { embedded: 100_000, postgres: 1_000_000 };
const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };
const SINCE = "2020-01-01T00:00:00Z";

/** Resident memory of a program that exports, with a server: its own floor is 100 MB. */
const BYTES_MAX = 300e6;

/** What the embedded server itself takes. */
const SERVER_BYTES = 450e6;

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`${CANDLES[kind]} candles of a database that is ${kind} become Parquet and feather in bounded memory`, (t) =>
    withArchiveDirectory(async (cwd) => {
      const server = kind === "postgres" ? await openPostgres() : undefined;
      if (kind === "postgres" && server === undefined) {
        await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
        return;
      }
      const env: Record<string, string> = {
        EXCHANGES: "binance",
        SYMBOLS: "BTC/USDT",
        TIMEFRAMES: "1m",
        // Nobody is there: the daemon of this test has nothing to ask for.
        EXCHANGE_BINANCE: JSON.stringify({
          urls: { api: { public: "http://127.0.0.1:9/api/v3" } },
        }),
        HTTP_PORT: "0",
        ...(server === undefined ? {} : { DATABASE_URL: server.url }),
      };
      let daemon: Running | undefined;
      try {
        const dataDir = `${cwd}/titan10-data`;
        const database = await openDatabase({
          url: server?.url,
          dataDir,
          poolMax: 1,
          clock: systemClock,
        });
        await seed(database, [{ ...SERIES, since: SINCE, candles: CANDLES[kind] }]);
        await database.close();
        await t.step(
          "by the program itself",
          () => exportAll({ cwd, env }, CANDLES[kind], server === undefined ? SERVER_BYTES : 0),
        );
        if (server !== undefined) return;
        daemon = start(["run"], { cwd, env });
        await daemon.waitFor(/listening.*unix:/);
        await t.step("through the daemon", async () => {
          await exportAll({ cwd, env }, CANDLES[kind], 0);
        });
        await t.step("through the daemon, and stopped in the midst of it", async () => {
          // What is stopped while it reads does not always fail where it can.
          for (let time = 0; time < 5; time++) {
            const leaving = start(["export", "-o", `${cwd}/cut.csv`], { cwd, env });
            await untilWritten(cwd);
            leaving.kill("SIGINT");
            const { code } = await leaving.ended;
            assertCode({ code, stdout: leaving.stdout(), stderr: leaving.stderr() }, 130);
            const left = await Array.fromAsync(Deno.readDir(cwd), ({ name }) => name);
            assert.deepEqual(left.filter((name) => name.includes("cut")), []);
          }
        });
        await t.step("gaps and revisions come from the daemon, too", async () => {
          for (const what of ["gaps", "revisions"]) {
            const asked = await run(["export", "--what", what], { cwd, env });
            assertCode(asked, 0);
            assert.match(asked.stdout, /^exchange,symbol,timeframe,.*\n/);
            const unknown = await run(["export", "--what", what, "--symbol", "X"], { cwd, env });
            assertCode(unknown, 1);
            assert.match(unknown.stderr, /^Cannot export\. Nothing is archived of the symbol X/m);
          }
        });
        await t.step("a report is made by the daemon, too", async () => {
          const asked = await run(["report", "--json", "--until", SINCE], { cwd, env });
          assertCode(asked, 0);
          assert.equal(JSON.parse(asked.stdout).archive.candles, CANDLES[kind]);
          const page = await run(["report", "--html", `${cwd}/report.html`], { cwd, env });
          assertCode(page, 0);
          const text = await Deno.readTextFile(`${cwd}/report.html`);
          assert.match(text, /100,000 of [\d,]+ wanted candles are there/);
        });
        await t.step("a query is answered by the daemon, too", async () => {
          const sql = "select count(*) from ohlcv where timeframe = '1m'";
          const asked = await run(["query", "--csv", sql], { cwd, env });
          assertCode(asked, 0);
          assert.equal(asked.stdout, `count\n${CANDLES[kind]}\n`);
          const refused = await run(["query", "drop table gaps"], { cwd, env });
          assertCode(refused, 1);
          assert.match(
            refused.stderr,
            /^Cannot run the query: .* A query is one SELECT, WITH, VALUES or TABLE that only reads/,
          );
          const head = "exchange,symbol,timeframe,time,open,high,low,close,volume\n";
          const candle = "binance,BTC/USDT,1m,2024-01-01T00:00:00Z,1,2,0.5,1.5,10\n";
          await Deno.writeTextFile(`${cwd}/candles.csv`, head + candle);
          for (
            const args of [["import", "candles.csv"], ["copy", "--to", "postgres://127.0.0.1:9/d"]]
          ) {
            const held = await run(args, { cwd, env });
            assertCode(held, 1);
            assert.match(held.stderr, /holds .*\. Stop /);
          }
        });
      } finally {
        daemon?.kill("SIGTERM");
        await daemon?.ended;
        await server?.stop();
      }
    }));
}

type Where = { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

/** Both formats that are written as their candles come. */
async function exportAll({ cwd, env }: Where, candles: number, serverBytes: number): Promise<void> {
  const written = {
    "all.parquet": readParquet(`${cwd}/all.parquet`),
    "data": readFeather(`${cwd}/data/binance/BTC_USDT-1m.feather`),
  };
  for (const [output, read] of Object.entries(written)) {
    const format = output === "data" ? ["--format", "freqtrade"] : [];
    const program = start(["export", "-o", output, ...format], { cwd, env });
    const peakBytes = await peakOf(program);
    assertCode(
      { code: (await program.ended).code, stdout: program.stdout(), stderr: program.stderr() },
      0,
    );
    console.log(`peak resident memory of ${output} ${Math.round(peakBytes / 1e6)} MB`);
    assert.ok(peakBytes < serverBytes + BYTES_MAX, `${peakBytes} bytes`);
    assertRows(await read(), candles);
  }
}

type Row = readonly number[];

function readParquet(path: string): () => Promise<readonly Row[]> {
  return async () => {
    const file = (await Deno.readFile(path)).buffer;
    const rows = await parquetReadObjects({ file }) as Record<string, unknown>[];
    return rows.map(({ exchange, symbol, timeframe, ...row }) => {
      assert.deepEqual({ exchange, symbol, timeframe }, SERIES);
      const { time, open, high, low, close, volume } = row;
      return [time, open, high, low, close, volume].map(Number);
    });
  };
}

function readFeather(path: string): () => Promise<readonly Row[]> {
  return async () => {
    const table = tableFromIPC(await Deno.readFile(path), { useDate: false });
    const columns = table.names.map((name) => [...table.getChild(name)] as number[]);
    return columns[0]!.map((_, n) => columns.map((column) => column[n]!));
  };
}

function assertRows(rows: readonly Row[], candles: number): void {
  assert.equal(rows.length, candles);
  const sinceMs = Date.parse(SINCE);
  const wrong = rows.findIndex(([time, open, high, low, close, volume], n) =>
    time !== sinceMs + n * 60_000 ||
    open !== Number((40_000 + (n % 977) / 100).toFixed(2)) || high !== 41_000.5 ||
    low !== 1e-10 || close !== Number((40_000 + (n % 1009) / 100).toFixed(2)) ||
    volume !== Number(((n % 5003) * 12_345_678_901 / 1e14).toFixed(14))
  );
  assert.equal(wrong, -1, Deno.inspect(rows[wrong]));
}

/** Resolves when an unfinished file holds something. */
async function untilWritten(folder: string): Promise<void> {
  await until("an unfinished file that holds something", async () => {
    for await (const { name } of Deno.readDir(folder)) {
      if (name.endsWith(".unfinished") && (await Deno.stat(`${folder}/${name}`)).size > 0) {
        return true;
      }
    }
    return false;
  });
}
