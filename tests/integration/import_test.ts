/** `titan10 import`: a file's candles become part of the archive, and are never taken for the exchange's. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { openDatabase } from "../../lib/store/connection/database.ts";
import { noteGapsAsked } from "../../lib/store/gap_note.ts";
import { writeStreamed } from "../../lib/store/streamed_write.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import {
  type ArchivePlace,
  withAnyArchivePlace,
  withArchivePlace,
} from "../support/archive_place.ts";
import { copyTemplate } from "../support/embedded_template.ts";
import { seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const BINANCE = ["--exchange", "binance", "--symbol", "BTC/USDT"];
const HEAD = "time,open,high,low,close,volume";

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`candles are imported into a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async (place) => {
      const tools = toolsOf(place);
      await fromExport(t, tools);
      await fromElsewhere(t, tools);
    }));
}

Deno.test("what cannot be meant is not imported", (t) =>
  withAnyArchivePlace((place) => refusals(t, toolsOf(place))));

interface Tools extends ArchivePlace {
  readonly file: (name: string, lines: readonly string[]) => Promise<string>;
  readonly imported: (...args: string[]) => Promise<CommandResult>;
  readonly asked: (text: string) => Promise<unknown[]>;
}

function toolsOf(place: ArchivePlace): Tools {
  const env = { TIMEFRAMES: "1m", BACKFILL: "off", ...place.env };
  return {
    ...place,
    env,
    async file(name, lines): Promise<string> {
      await Deno.writeTextFile(`${place.folder}/${name}`, `${lines.join("\n")}\n`);
      return `${place.folder}/${name}`;
    },
    imported: (...args) => runInProcess(["import", ...args], env),
    asked: (text) => place.withDatabase(async ({ sql }) => [...await sql.unsafe(text)]),
  };
}

async function fromExport(t: Deno.TestContext, tools: Tools): Promise<void> {
  const { folder, env, file, imported, withDatabase, asked } = tools;
  const LEDGER = `select exchange, symbol, timeframe, covered::text, candles::int, first, last
    from checkpoints order by exchange, symbol`;
  await t.step("what was exported from one archive is the same in another", async () => {
    const source = { DATA_DIR: `${folder}/source`, TIMEFRAMES: "1m", BACKFILL: "off" };
    await copyTemplate(source.DATA_DIR);
    const database = await openDatabase({
      url: undefined,
      dataDir: source.DATA_DIR,
      poolMax: 1,
      clock: systemClock,
    });
    const since = "2024-01-01T00:00:00Z";
    await seed(database, [
      { exchange: "binance", symbol: "ETH/USDT", timeframe: "1h", since, candles: 25_000 },
      { exchange: "kraken", symbol: "ETH/USD:USD", timeframe: "1M", since, candles: 3 },
    ]);
    const ledger = [...await database.sql.unsafe(LEDGER)];
    await database.close();
    const path = `${folder}/all.csv`;
    assert.equal((await runInProcess(["export", "-o", path], source)).code, 0);
    const first = await imported(path);
    assert.deepEqual([first.code, first.stderr], [0, ""]);
    assert.equal(
      first.stdout,
      "binance ETH/USDT 1h: 25,000 rows, 2024-01-01 00:00 to 2026-11-07 15:00\n  25,000 added\n" +
        "kraken ETH/USD:USD 1M: 3 rows, 2024-01-01 00:00 to 2024-03-01 00:00\n  3 added",
    );
    assert.deepEqual(await asked(LEDGER), ledger);
    const again = `${folder}/again.csv`;
    assert.equal((await runInProcess(["export", "-o", again], env)).code, 0);
    assert.equal(await Deno.readTextFile(again), await Deno.readTextFile(path));
    const second = JSON.parse((await imported("--json", "--again", path)).stdout).series[0];
    assert.deepEqual([second.added, second.same, second.conflicts], [0, 25_000, 0]);
    const hash = new Uint8Array(
      await crypto.subtle.digest("SHA-256", await Deno.readFile(path)),
    ).toHex();
    assert.deepEqual(
      await asked(`select file, sha256, added::int, ended is not null as ended,
        stored = (select covered from checkpoints where symbol = 'ETH/USDT') as whole
        from imports where symbol = 'ETH/USDT' order by id`),
      [
        { file: "all.csv", sha256: hash, added: 25_000, ended: true, whole: true },
        { file: "all.csv", sha256: hash, added: 0, ended: true, whole: false },
      ],
    );
    assert.deepEqual(
      await asked(
        `select symbol, text, times, candles::int from events where kind = 'imported' order by symbol desc`,
      ),
      [
        {
          symbol: "ETH/USDT",
          text: "binance ETH/USDT 1h: imported from all.csv",
          times: 2,
          candles: 25_000,
        },
        {
          symbol: "ETH/USD:USD",
          text: "kraken ETH/USD:USD 1M: imported from all.csv",
          times: 2,
          candles: 3,
        },
      ],
    );
  });
  await t.step("a file with one bad line is refused, and nothing of it is stored", async () => {
    await withDatabase(async ({ sql }) => {
      await sql`delete from ohlcv_1h`;
      await sql`update checkpoints set candles = 0, first = null, last = null, covered = '{}'`;
    });
    const lines = (await Deno.readTextFile(`${folder}/all.csv`)).split("\n");
    const broken = await file("broken.csv", lines.with(15_000, "kraaken,ETH/USDT,1h,2024"));
    const stopped = await imported(broken);
    assert.deepEqual([stopped.code, stopped.stderr], [
      1,
      `Cannot read line 15001 of ${broken}: it has 4 fields, 10 are expected. Nothing was stored`,
    ]);
    const [none] = await asked("select candles::int from checkpoints where timeframe = '1h'");
    assert.deepEqual(none, { candles: 0 });
    assert.equal((await imported(`${folder}/all.csv`)).code, 0);
    assert.deepEqual(
      await asked(
        "select count(*)::int, (select candles::int from checkpoints where timeframe = '1h') from ohlcv_1h",
      ),
      [{ count: 25_000, candles: 25_000 }],
    );
  });
}

async function fromElsewhere(t: Deno.TestContext, tools: Tools): Promise<void> {
  const { file, imported, withDatabase, asked } = tools;
  const covered = async (): Promise<unknown> => {
    const [row] = await asked(
      `select (select json_agg(lower(range) || '/' || upper(range) order by range)
      from unnest(covered) as range) as spans from checkpoints where symbol = 'BTC/USDT'`,
    );
    return (row as { spans: string[] }).spans.map((span) =>
      span.replaceAll(/2024-01-01 |:00\+00/g, "")
    );
  };
  const path = await file("btc.csv", [
    "Timestamp;Open;High;Low;Close;Volume",
    "2024-01-01 00:00;1;2;0.5;1.5;10",
    "2024-01-01 00:01;1;2;0.5;1.5;1e-10",
    "2024-01-01 00:03;1;2;0.5;1.5;12345678901234567890.123",
    "2024-01-01 00:04;1;2;3;1.5;10",
    "2024-01-01 00:05;1;2;0.5;1.5;10",
    "2999-01-01 00:00;1;2;0.5;1.5;10",
  ]);
  await t.step(
    "a file answers for its candles only, and what fails the checks is kept apart",
    async () => {
      const { code, stdout } = await imported(path, ...BINANCE, "--timeframe", "1m");
      assert.deepEqual([code, stdout], [
        0,
        `binance BTC/USDT 1m: 6 rows, 2024-01-01 00:00 to 2024-01-01 00:05
  4 added
  1 rejected: see rejected_candles
  1 not closed, only just, or provisional: left out
  2 in between are lacking, and owed by the exchange;
  --complete says that they do not exist
First of the 1 rejected:
  ${path}, line 5: binance BTC/USDT 1m 2024-01-01 00:04: low above body`,
      ]);
      assert.deepEqual(await covered(), ["00:00/00:02", "00:03/00:04", "00:05/00:06"]);
      assert.deepEqual(
        await asked(
          `select reason, time, file from rejected_candles join imports on imports.id = import_id
        order by time`,
        ),
        [
          { reason: "low_above_body", time: new Date("2024-01-01T00:04Z"), file: "btc.csv" },
        ],
      );
      assert.deepEqual(
        await asked("select volume from ohlcv_1m where volume not in (10) order by time"),
        [{ volume: "0.0000000001" }, { volume: "12345678901234567890.123" }],
      );
    },
  );
  await t.step("a rejected row of a file is no reason for a gap at the exchange", async () => {
    const [sinceMs, untilMs] = [Date.parse("2024-01-01T00:04Z"), Date.parse("2024-01-01T00:05Z")];
    const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };
    const note = { sinceMs, nextTryMs: untilMs, isAnswered: true, isProvable: true };
    await withDatabase(async (database) => {
      const { sql } = database;
      await sql`insert into gaps (exchange, symbol, timeframe, since, until, missing)
        values ('binance', 'BTC/USDT', '1m', '2024-01-01 00:04Z', '2024-01-01 00:05Z', 1)`;
      const asked = {
        window: { sinceMs, untilMs },
        notes: [{ ...note, isConclusive: false }],
        nowMs: untilMs,
      };
      assert.deepEqual(await noteGapsAsked(database, series, asked), ["suspected"]);
      await sql`update rejected_candles set import_id = null`;
      assert.deepEqual(await noteGapsAsked(database, series, asked), ["rejected"]);
      await sql`update rejected_candles set import_id = (select max(id) from imports)`;
      await sql`delete from gaps`;
    });
  });
  await t.step(
    "a complete file answers for what it lacks, but not for what it has wrong",
    async () => {
      const range = ["--since", "2024-01-01T00:01Z", "--until", "2024-01-01T00:09Z"];
      const { stdout } = await imported(
        path,
        ...BINANCE,
        "--timeframe",
        "1m",
        "--complete",
        ...range,
      );
      assert.match(stdout, /3 already stored\n[\s\S]* 2 outside of --since and --until/);
      assert.deepEqual(await covered(), ["00:00/00:04", "00:05/00:09"]);
    },
  );
  await t.step("what is stored is kept, and a file that differs is told", async () => {
    const other = await file("other.csv", [
      HEAD,
      "1704067200000000,1,2,0.5,1.75,10",
      "1704067260000000,1,2,0.5,1.5,0.00000000010",
      "1704067320000000,1,2,0.5,1.5,20",
    ]);
    const { stdout } = await imported(other, ...BINANCE, "--timeframe", "1m");
    assert.match(stdout, /\n {2}1 added\n {2}1 already stored\n {2}1 stored with other values/);
    assert.deepEqual(
      await asked(`select c.time, c.close, c.volume, o.close as kept, o.volume as volume_kept
        from import_conflicts as c join ohlcv_1m as o using (time, exchange, symbol) order by time`),
      [
        {
          time: new Date("2024-01-01T00:00Z"),
          close: "1.75",
          volume: "10",
          kept: "1.5",
          volume_kept: "10",
        },
      ],
    );
    assert.deepEqual(await asked("select 1 from candle_revisions"), []);
    const replaced = await imported(other, ...BINANCE, "--timeframe", "1m", "--replace");
    assert.match(replaced.stdout, /\n {2}2 already stored\n {2}1 replaced: /);
    assert.deepEqual(
      await asked(`select close, close_by, volume_by, file from candle_revisions
        join imports on imports.id = import_id order by time`),
      [
        { close: "1.5", close_by: "0.25", volume_by: "0", file: "other.csv" },
      ],
    );
  });
  await t.step(
    "of streamed candles a file proves nothing, and what it replaces is no stream's",
    async () => {
      const eth = ["--exchange", "binance", "--symbol", "ETH/USDT", "--timeframe", "1m"];
      const minuteMs = (minute: number): number => Date.UTC(2024, 1, 1, 10, minute);
      const row = (minute: number, close: number): string =>
        `${minuteMs(minute)},1,2,0.5,${close},10`;
      const streamed = (close: string): Promise<readonly string[]> =>
        withDatabase((database) =>
          writeStreamed(
            database,
            [3, 4].map((minute) => ({
              series: { exchange: "binance", symbol: "ETH/USDT", timeframe: parseTimeframe("1m") },
              candle: {
                openTimeMs: minuteMs(minute),
                open: "1",
                high: "2",
                low: "0.5",
                close,
                volume: "10",
              },
              marketId: undefined,
            })),
          )
        );
      const before = await file("eth.csv", [HEAD, row(0, 1), row(1, 1), row(2, 1)]);
      assert.equal((await imported(before, ...eth)).code, 0);
      assert.deepEqual(await streamed("1.6"), ["stored", "stored"]);
      const lines = [row(3, 1.7), row(4, 1.6), row(5, 1)].map((line, n) => `${line},${n === 2}`);
      const marked = await file("marked.csv", [`${HEAD},provisional`, ...lines]);
      const { stdout } = await imported(marked, ...eth, "--replace");
      assert.match(
        stdout,
        /\n {2}1 already stored\n {2}1 replaced: [^]*1 not closed, .*or provisional/,
      );
      assert.deepEqual(await streamed("1.8"), ["known", "revised"]);
      const found = await asked(
        `select concat_ws(' ', to_char(time at time zone 'UTC', 'MI'), trim_scale(close),
           case when covered @> time then 'covered' when streamed.time is null then 'stored' else 'streamed' end) as text
         from ohlcv_1m join checkpoints using (exchange, symbol)
           left join streamed_candles as streamed using (exchange, symbol, timeframe, time)
         where symbol = 'ETH/USDT' and timeframe = '1m' and time >= '2024-02-01 10:02Z' order by time`,
      );
      assert.deepEqual(found.map((row) => Object.values(row as object)[0]), [
        ...["02 1 covered", "03 1.7 stored", "04 1.8 streamed"],
      ]);
      await asked(`delete from ohlcv_1m where symbol = 'ETH/USDT';
        delete from checkpoints where symbol = 'ETH/USDT' and timeframe = '1m'`);
    },
  );
  await t.step("a gap whose candles a file brings is filled", async () => {
    await withDatabase(async ({ sql }) => {
      await sql`insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
        values ('binance', 'BTC/USDT', '1m', '2024-01-01 00:06Z', '2024-01-01 00:08Z', 'no_trades', 2)
        on conflict (exchange, symbol, timeframe, since) do update
        set until = excluded.until, state = excluded.state, missing = excluded.missing`;
    });
    const filling = await file("filling.csv.gz", []);
    const text = "1704067560,1,2,0.5,1.5,10,ignored\n1704067620,1,2,0.5,1.5,10,ignored";
    const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(filling, packed);
    assert.equal((await imported(filling, ...BINANCE, "--timeframe", "1m")).code, 0);
    assert.deepEqual(
      await asked("select state, missing from gaps where since = '2024-01-01 00:06Z'"),
      [{
        state: "filled",
        missing: 0,
      }],
    );
  });
  await t.step("what RETENTION has dropped does not come back by a file", async () => {
    await withDatabase(({ sql }) =>
      sql`update timeframes set expired_from = '2023-01-01 00:00Z',
      expired_until = '2024-01-01 00:00Z' where timeframe = '1m'`
    );
    const old = await file("old.csv", [HEAD, "2023-12-31T23:59Z,1,2,0.5,1.5,10"]);
    const { stdout } = await imported(old, ...BINANCE, "--timeframe", "1m", "--complete");
    assert.equal(
      stdout,
      "binance BTC/USDT 1m: 1 row\n  1 of time that RETENTION has dropped: left out",
    );
    assert.deepEqual(
      await asked("select claimed::text, added::int from imports where file = 'old.csv'"),
      [{ claimed: "{}", added: 0 }],
    );
  });
}

async function refusals(t: Deno.TestContext, { file, imported, asked }: Tools): Promise<void> {
  const minutes = Array.from({ length: 60 }, (_, n) => `${1704067200 + n * 60},1,2,0.5,1.5,${n}`);
  const series = ["--exchange", "binance", "--symbol", "SOL/USDT", "--timeframe"];
  const cases: readonly (readonly [readonly string[], readonly string[], RegExp])[] = [
    [minutes, [...series, "1s"], /60 candles apart.*not seem to be 1s\..*Nothing was/],
    [
      minutes,
      [...series, "1h"],
      /line 2 opens at .*, where no candle of 1h opens.*Nothing was stored/,
    ],
    [[], [...series, "1m"], /^Cannot read .*bad\.csv: it is empty/],
    [["a".repeat(200_000)], [...series, "1m"], /bad\.csv: it has a line that is too long/],
    [minutes, ["--exchange", "binance"], /line 1: the symbol is missing.*--symbol/],
    [minutes, [...series.with(1, "binanze"), "1m"], /binanze is not an exchange.*mean binance/],
    [minutes, [...series.with(3, "SOLUSDT"), "1m"], /SOLUSDT is not a unified symbol/],
    [minutes, [...series, "1x"], /Cannot read timeframe/],
    [
      ["time,price", "1,2"],
      [...series, "1m"],
      /has no column open, only time, price\. Name the columns with --columns/,
    ],
    [
      [`symbol,${HEAD}`, "SOL,1704067200,1,1,1,1,1", "ETH,1704067260,1,1,1,1,1"],
      [...series, "1m"],
      /SOL\/USDT: the file holds SOL 1?.*ETH.*pick it with --instrument/,
    ],
  ];
  await t.step("a file that cannot be meant is refused, and nothing of it is stored", async () => {
    for (const [lines, args, why] of cases) {
      const { code, stderr } = await imported(await file("bad.csv", lines), ...args);
      assert.equal(code, 1, stderr);
      assert.match(stderr, why);
    }
    const broken = await file("broken.csv.gz", ["not gzip"]);
    assert.match(
      (await imported(broken, ...series, "1m")).stderr,
      /^Cannot read .*broken\.csv\.gz: .+/,
    );
    assert.match(
      (await imported("nowhere.csv", ...series, "1m")).stderr,
      /^Cannot read nowhere\.csv: /,
    );
    assert.deepEqual(
      await asked(
        "select count(*)::int from checkpoints where symbol = 'SOL/USDT' and candles > 0",
      ),
      [{ count: 0 }],
    );
  });
}
