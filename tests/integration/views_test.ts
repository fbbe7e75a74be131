/** Right after any command the views of an archive agree: random schedules of commands and faults. @module */
import assert from "node:assert/strict";
import { EXIT } from "../../lib/cli/shell.ts";
import type { Clock } from "../../lib/clock.ts";
import { type LocalSymbol, market } from "../../lib/local_exchange/local_symbol.ts";
import { addCandles, closedUntil, parseTimeframe } from "../../lib/market/timeframe.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { Random } from "../faults/random.ts";
import { busyAnswers } from "../faults/refusing_answers.ts";
import { disagreements } from "../support/archive_views.ts";
import { kraken } from "../support/dialects/kraken.ts";
import { emptyDatabase, QUICK } from "../support/local_archive.ts";
import { binance } from "../support/local_exchange/binance.ts";
import type { Fault } from "../support/local_exchange/fault.ts";
import {
  type LocalExchange,
  startLocalExchange,
} from "../support/local_exchange/faulty_exchange.ts";
import { runInProcess } from "../support/shell.ts";
import { START_MS, TestClock } from "../support/test_clock.ts";
import { openPostgres } from "../support/test_database.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;

/** Further back than Kraken's 720 newest candles. */
const REACH_HOURS = 800;
const COMMANDS = 4;

/** `-- --seed=17` plays one schedule again, `-- --runs=100` more of them. */
const argument = (name: string): number | undefined => {
  const text = Deno.args.find((given) => given.startsWith(`--${name}=`));
  return text === undefined ? undefined : Number(text.split("=")[1]);
};
const [seed, runs] = [argument("seed"), argument("runs") ?? 6];
const seeds = seed === undefined ? Array.from({ length: runs }, (_, n) => n + 1) : [seed];

Deno.test("status, gaps, report, ohlcv_explained and the page agree after every command", async (t) => {
  const server = await openPostgres();
  if (server === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    for (const seed of seeds) {
      await t.step(`seed ${seed}: all agree`, () => play(seed, server.url));
    }
  } finally {
    await server.stop();
  }
});

interface Played {
  readonly exchange: LocalExchange;
  readonly id: string;
  readonly clock: TestClock;
  readonly random: Random;
  readonly cwd: string;
  readonly command: (...args: readonly string[]) => Promise<string>;
}

async function play(seed: number, server: string): Promise<void> {
  const random = new Random(seed);
  const clock = new TestClock();
  const dialect = random.pick([binance, binance, kraken]);
  const symbols = marketsOf(random);
  const exchange = await startLocalExchange({ clock, symbols, dialect });
  const cwd = await Deno.makeTempDir({ prefix: "titan10-views-" });
  const database = await openDatabase({ url: server, dataDir: "", poolMax: 2, clock });
  await emptyDatabase(database);
  const id = dialect.exchange;
  const env = {
    ...QUICK,
    DATABASE_URL: server,
    DATA_DIR: cwd,
    EXCHANGES: id,
    SYMBOLS: symbols.map(({ symbol }) => symbol).join(","),
    TIMEFRAMES: "1h",
    BACKFILL: `1h:${REACH_HOURS}h`,
    PAGE_LIMIT: String(random.pick([50, 200, 500])),
    EXCHANGE_PROXY_URL: exchange.proxyUrl,
    [`EXCHANGE_${id.toUpperCase()}`]: JSON.stringify({ rateLimit: 1 }),
    COMPRESS_AFTER: "off",
  };
  const command = (...args: readonly string[]): Promise<string> => commandOf(args, { env, clock });
  try {
    const done: string[] = [];
    await command("migrate");
    for (let n = 0; n < COMMANDS; n++) {
      done.push(await doSomething({ exchange, id, clock, random, cwd, command }));
      const found = await disagreements(database, {
        status: JSON.parse(await command("status", "--json")),
        gaps: JSON.parse(await command("gaps", "--json")).gaps,
        report: JSON.parse(await command("report", "--json")),
        nowMs: clock.now(),
        wantedSinceMs: () => addCandles(HOUR, closedUntil(HOUR, clock.now()), -REACH_HOURS),
      });
      assert.deepEqual(found, [], `after ${done.join(", then ")}`);
    }
  } finally {
    await database.close();
    await exchange.close();
    await Deno.remove(cwd, { recursive: true });
  }
}

/** Up to three markets: one listed late, one with holes and a bad candle, one that is sound. */
function marketsOf(random: Random): readonly LocalSymbol[] {
  const hourMs = closedUntil(HOUR, START_MS);
  const ago = (hours: number): number => hourMs - hours * HOUR_MS;
  const facts = { tickDecimals: 2, price: 100, quoteVolume24h: 1_000_000 };
  const since = random.whole(20, 700);
  const bad = random.whole(10, 700);
  const markets = [
    market("QAZ/USDT", { ...facts, listedAtMs: ago(random.whole(1, 900)) }),
    market("QBZ/USDT", {
      ...facts,
      holes: [{ sinceMs: ago(since), untilMs: ago(since - random.whole(1, 20)) }],
      overrides: [{ timeframe: "1h", openTimeMs: ago(bad), values: { low: "-1.00" } }],
    }),
    market("QCZ/USDT", facts),
  ];
  return markets.slice(0, random.whole(1, 3));
}

/** One command, among faults; then some time passes. Resolves to what it was. */
async function doSomething(played: Played): Promise<string> {
  const { exchange, id, clock, random, command } = played;
  const faults: readonly Fault[] = [
    { kind: "empty_page" },
    { kind: "short_page", rows: random.whole(1, 30) },
    { kind: "moved_start", rows: random.whole(1, 30) },
    { kind: "bad_value", value: "high_below_low", row: random.whole(0, 5) },
    { kind: "status", status: 500 },
    { kind: "html" },
    // The last one is of a code that nobody knows, which is waited for by the minute.
    ...busyAnswers(id).slice(0, -1),
  ];
  exchange.faults.clear();
  const fault = random.pick(faults);
  const times = random.whole(0, 12);
  exchange.faults.add({ when: { about: "candles" }, times, fault });
  const action = random.pick(["backfill", "backfill", "gaps --repair", "import", "status"]);
  if (action === "import") await importSome(played);
  else await command(...action.split(" "));
  const passedMs = random.pick([0, 0, 6 * 60_000, 2 * HOUR_MS]);
  // The views of the moment of the command, and later ones after the next.
  clock.pass(passedMs);
  if (passedMs > 0) await command("gaps", "--repair");
  return `${action} with ${times} × ${fault.kind}, ${passedMs} ms later`;
}

/** A file of some of the true candles. */
async function importSome({ exchange, id, clock, random, cwd, command }: Played): Promise<void> {
  const [{ symbol } = { symbol: "" }] = exchange.symbols.all();
  const from = random.whole(2, 700);
  const hourMs = closedUntil(HOUR, clock.now());
  const window = {
    sinceMs: hourMs - from * HOUR_MS,
    untilMs: hourMs - random.whole(1, from) * HOUR_MS,
  };
  const rows = exchange.truth(symbol, HOUR, window).map(
    ({ openTimeMs, open, high, low, close, volume }) =>
      [new Date(openTimeMs).toISOString(), open, high, low, close, volume].join(","),
  );
  const file = `${cwd}/candles.csv`;
  await Deno.writeTextFile(file, ["time,open,high,low,close,volume", ...rows, ""].join("\n"));
  const names = ["--exchange", id, "--symbol", symbol, "--timeframe", "1h"];
  await command("import", file, ...names, ...(random.next() < 0.5 ? ["--complete"] : []));
}

/** Runs a command of the program in this process. Resolves to what it printed. */
async function commandOf(
  args: readonly string[],
  { env, clock }: { readonly env: Readonly<Record<string, string>>; readonly clock: Clock },
): Promise<string> {
  const { code, stdout, stderr } = await runInProcess(args, env, undefined, "", clock);
  // Among faults a command may fail, and still leaves an archive to look at.
  const mayFail = !args.includes("--json");
  assert.ok(code === EXIT.done || (code === EXIT.failed && mayFail), stderr);
  return stdout;
}
