/** A great many gaps are listed one after the other, and neither the program nor the daemon needs room for them. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { type Database, openDatabase } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { peakOf, peakSoFar } from "../support/peak_memory.ts";
import { startPostgres } from "../support/postgres_server.ts";
import {
  assertCode,
  commandLine,
  run,
  type Running,
  start,
  withArchiveDirectory,
} from "../support/program.ts";

const GAPS_A_SERIES = 1_000;

/** With a server there are enough to overflow the stack where they are spread into the arguments of one call. */
const SERIES = { embedded: 100, postgres: 150 };

/** Resident memory of a program that lists them: its own floor is 100 MB. */
const BYTES_MAX = 300e6;

/**
 * What the daemon may take more when they are listed: once, the 128 MB in which the embedded server keeps what it has read
 * of a table, whoever reads it; every other time only what is not yet collected as garbage.
 */
const DAEMON_BYTES_MAX = { once: 130e6, again: 60e6 };

const FIRST_MS = Date.UTC(2020, 0, 1);
const DAY_MS = 86_400_000;

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`${SERIES[kind] * GAPS_A_SERIES} gaps are listed in bounded memory on a database that is ${kind}`, (t) =>
    withArchiveDirectory(async (cwd) => {
      const server = kind === "postgres" ? await startPostgres() : undefined;
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
      const series = SERIES[kind];
      let daemon: Running | undefined;
      try {
        const dataDir = `${cwd}/titan10-data`;
        const clock = systemClock;
        const database = await openDatabase({ url: server?.url, dataDir, poolMax: 1, clock });
        await plantGaps(database, series);
        await database.close();
        if (server === undefined) {
          daemon = start(["run"], { cwd, env });
          await daemon.waitFor(/listening.*unix:/);
        }
        // What the daemon needs once, for its first answers, is not of these.
        assertCode(await run(["status", "--json"], { cwd, env }), 0);
        let daemonBytes = daemon === undefined ? 0 : await peakSoFar(daemon.pid);
        const assertDaemon = async (grownMax: number): Promise<void> => {
          if (daemon === undefined) return;
          const grownBytes = await peakSoFar(daemon.pid) - daemonBytes;
          console.log(`the daemon's peak has grown by ${Math.round(grownBytes / 1e6)} MB`);
          assert.ok(grownBytes < grownMax, `${grownBytes} bytes`);
          daemonBytes += grownBytes;
        };
        await t.step("all of them, in order, as JSON", async () => {
          const { gaps } = JSON.parse(await list(["gaps", "--json"], { cwd, env }));
          assertAll(
            gaps.map(({ symbol, since, state, missing }: Record<string, unknown>) =>
              `${symbol} ${String(since).slice(0, 16)} ${state} ${missing}`
            ),
            series,
          );
          await assertDaemon(DAEMON_BYTES_MAX.once);
        });
        await t.step("all of them, in order, as a table with their sums", async () => {
          const lines = (await list(["gaps"], { cwd, env })).split("\n");
          assert.match(lines[0]!, /^SERIES +SINCE +MISSING +STATE +ASKED +NEXT$/);
          assert.deepEqual(lines.filter((line) => line.length > 80), []);
          const end = lines.indexOf("");
          assertAll(
            lines.slice(1, end).map((line) => {
              const [, symbol, , day, minute, missing, state] = line.split(/ +/);
              return `${symbol} ${day}T${minute} ${state} ${missing?.replace(",", "")}`;
            }),
            series,
          );
          const gaps = (series * GAPS_A_SERIES / 2).toLocaleString("en-US");
          const candles = (series * GAPS_A_SERIES).toLocaleString("en-US");
          const listed = (series * 1_440).toLocaleString("en-US");
          assert.deepEqual(lines.slice(end + 1, -1), [
            `before_listing: ${listed} candles in ${series} gaps`,
            `suspected: ${candles} candles in ${gaps} gaps`,
            `no_trades: ${candles} candles in ${gaps} gaps`,
          ]);
        });
        await t.step(
          "whoever reads ten lines and goes ends it without a word",
          () => leave(cwd, env),
        );
        await assertDaemon(DAEMON_BYTES_MAX.again);
      } finally {
        daemon?.kill("SIGTERM");
        await daemon?.ended;
        await server?.stop();
      }
    }));
}

type Where = { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

/** Gaps of two minutes, half of them open, and in each series a day before the listing; and filled ones beside them. */
async function plantGaps(database: Database, series: number): Promise<void> {
  await migrate(database, await readMigrations());
  await database.sql`
    insert into checkpoints (exchange, symbol, timeframe, covered, scanned, first, first_confirmed, wanted_since)
    select 'kraken', 'S' || lpad(n::text, 3, '0') || '/USDT', '1m', '{[2020-01-01,2021-01-01)}',
           '{[2020-01-02,2021-01-01)}', '2020-01-02', '2020-01-02', '2020-01-01'
    from generate_series(0, ${series}::int - 1) as n`;
  await database.sql`
    insert into gaps (exchange, symbol, timeframe, since, until, state, missing, next_try)
    select exchange, symbol, timeframe, since, since + interval '2 min',
           case when n % 2 = 0 then 'suspected' else 'no_trades' end, 2, '2099-01-01'
    from checkpoints, generate_series(0, ${GAPS_A_SERIES}::int - 1) as n,
         lateral (select first + n * interval '10 min' as since) as place`;
  await database.sql`
    insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
    select exchange, symbol, timeframe, since + interval '5 min', until + interval '5 min', 'filled', 0
    from gaps where state = 'suspected' and symbol < 'S010'`;
}

/** Everything that was planted, and nothing twice. */
function assertAll(gaps: readonly string[], series: number): void {
  assert.equal(gaps.length, series * (GAPS_A_SERIES + 1));
  const wrong = gaps.findIndex((gap, index) => gap !== expectedGap(index));
  assert.equal(wrong, -1, `${gaps[wrong]} is not ${expectedGap(wrong)}`);
}

function expectedGap(index: number): string {
  const symbol = `S${String(Math.floor(index / (GAPS_A_SERIES + 1))).padStart(3, "0")}/USDT`;
  const place = index % (GAPS_A_SERIES + 1) - 1;
  if (place === -1) return `${symbol} 2020-01-01T00:00 before_listing 1440`;
  const since = new Date(FIRST_MS + DAY_MS + place * 600_000).toISOString().slice(0, 16);
  return `${symbol} ${since} ${place % 2 === 0 ? "suspected" : "no_trades"} 2`;
}

async function list(args: readonly string[], where: Where): Promise<string> {
  const program = start(args, where);
  const bytes = await peakOf(program);
  const { code } = await program.ended;
  assertCode({ code, stdout: program.stdout().slice(0, 1_000), stderr: program.stderr() }, 0);
  console.log(`peak resident memory ${Math.round(bytes / 1e6)} MB`);
  assert.ok(bytes < BYTES_MAX, `${bytes} bytes`);
  return program.stdout();
}

/** As `head` does. */
async function leave(cwd: string, env: Readonly<Record<string, string>>): Promise<void> {
  const [command, ...first] = commandLine();
  const child = new Deno.Command(command!, {
    args: [...first, "gaps", "--json"],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.split("\n").length > 10) break;
  }
  const [, ...gaps] = text.split("\n").slice(0, 10);
  assert.equal(JSON.parse(gaps[1]!.replace(/,$/, "")).state, "suspected");
  const { code } = await child.status;
  assert.deepEqual([code, await new Response(child.stderr).text()], [0, ""]);
}
