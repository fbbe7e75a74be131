/** `titan10 export --dataset`: files hold what the archive holds, and only what has changed is written again. @module */
import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { systemClock } from "../../lib/clock.ts";
import type { Candle } from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { forgetSymbol } from "../../lib/store/forget.ts";
import { writePage } from "../../lib/store/page_write.ts";
import { exportDataset } from "../../lib/transfer/dataset_export.ts";
import { openFolder } from "../../lib/transfer/dataset_place.ts";
import { datasetPages, type DatasetSource } from "../../lib/transfer/dataset_source.ts";
import { DatasetManifest, MonthManifest } from "../../lib/transfer/dataset_manifest.ts";
import { type ArchivePlace, withArchivePlace } from "../support/archive_place.ts";
import { datasetSchema } from "../support/dataset_schema.ts";
import { type Seed, seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const HOUR = parseTimeframe("1h");
const HOUR_MS = 3_600_000;
/** Three months by the hour, and one exchange more; a month has 720 candles or 744. */
const SEEDS: readonly Seed[] = ([
  ["binance", "BTC/USDT", "1h", "2024-01-10T00:00:00Z", 24 * 60],
  ["binance", "ETH/USDT", "1h", "2024-02-01T00:00:00Z", 24 * 20],
  ["kraken", "BTC/USD", "1h", "2024-01-01T00:00:00Z", 24 * 40],
  ["kraken", "BTC/USD", "1d", "2023-12-30T00:00:00Z", 10],
] as const).map(([exchange, symbol, timeframe, since, candles]) => ({
  exchange,
  symbol,
  timeframe,
  since,
  candles,
}));

const FILES = [
  "timeframe=1d/exchange=kraken/month=2023-12",
  "timeframe=1d/exchange=kraken/month=2024-01",
  "timeframe=1h/exchange=binance/month=2024-01",
  "timeframe=1h/exchange=binance/month=2024-02",
  "timeframe=1h/exchange=binance/month=2024-03",
  "timeframe=1h/exchange=kraken/month=2024-01",
  "timeframe=1h/exchange=kraken/month=2024-02",
];

interface Scene extends ArchivePlace {
  readonly dataset: string;
  export(...args: string[]): Promise<CommandResult>;
}

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`a dataset is made of an archive that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async (place) => {
      await place.withDatabase((database) => seed(database, SEEDS));
      const dataset = `${place.folder}/dataset`;
      const scene: Scene = {
        ...place,
        dataset,
        export: (...args) => runInProcess(["export", "--dataset", dataset, ...args], place.env),
      };
      await whole(t, scene);
      // All else is not of the database, or of statements that are the same, and a server is quicker.
      if (kind === "embedded") return;
      await changes(t, scene);
      await broken(t, scene);
      await refusals(t, scene);
      await dropped(t, scene);
      await droppedMeanwhile(t, scene);
      await apart(t, scene);
    }));
}

async function whole(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step(
    "the first time it holds every final candle, once, and says what it covers",
    async () => {
      await scene.withDatabase(async ({ sql }) => {
        await sql`update checkpoints set unsettled = '{[2024-03-09 23:00Z, 2024-03-10 00:00Z)}',
                  covered = '{[2024-01-10 00:00Z, 2024-03-09 23:00Z)}'
                where exchange = 'binance' and symbol = 'BTC/USDT'`;
        await sql`insert into gaps (exchange, symbol, timeframe, since, until, missing, state)
                values ('binance', 'BTC/USDT', '1h', '2024-01-31 22:00Z', '2024-02-01 03:00Z', 5, 'no_trades')`;
        await sql`delete from ohlcv_1h where exchange = 'binance' and symbol = 'BTC/USDT'
                and time >= '2024-01-31 22:00Z' and time < '2024-02-01 03:00Z'`;
      });
      const { code, stderr } = await scene.export();
      assert.deepEqual([code, stderr], [
        0,
        `7 files written with 2,884 candles, 0 unchanged\n${scene.dataset}: 2,884 candles in 7 files`,
      ]);
      assert.deepEqual((await manifestOf(scene)).files.map(({ path }) => path), FILES.map(pathOf));
      await assertEqual(scene);
      const { series } = await monthOf(scene, FILES[2]!);
      assert.deepEqual(
        series.map(({ symbol, candles, first, last, covered, holes }) => [
          ...[symbol, candles, first, last],
          ...[covered, holes],
        ]),
        [[
          "BTC/USDT",
          526,
          "2024-01-10T00:00:00.000Z",
          "2024-01-31T21:00:00.000Z",
          [["2024-01-10T00:00:00.000Z", "2024-02-01T00:00:00.000Z"]],
          [{
            since: "2024-01-31T22:00:00.000Z",
            until: "2024-02-01T00:00:00.000Z",
            missing: 2,
            reason: "no_trades",
          }],
        ]],
      );
    },
  );
  await t.step(
    "rows are by symbol and time, times are milliseconds, and readers can skip by both",
    async () => {
      const bytes = await Deno.readFile(`${scene.dataset}/${pathOf(FILES[3]!)}`);
      const { row_groups, schema } = parquetMetadata(bytes.buffer);
      assert.deepEqual(schema.slice(1).map(({ name }) => name), [
        ...["symbol", "time", "open", "high", "low", "close", "volume", "volume_base"],
      ]);
      for (const { columns } of row_groups) {
        const [symbol, time] = columns;
        assert.ok(symbol?.meta_data?.statistics?.min_value !== undefined);
        assert.ok(time?.meta_data?.statistics?.max_value !== undefined);
      }
      const rows = await rowsOf(scene, FILES[3]!);
      const keys = rows.map(({ symbol, time }) => `${symbol} ${(time as Date).toISOString()}`);
      assert.deepEqual(keys, [...keys].sort());
    },
  );
  await t.step("run again, it writes nothing at all", async () => {
    const before = await timesOf(scene);
    const { stderr } = await scene.export();
    assert.match(stderr, /^0 files written with 0 candles, 7 unchanged/);
    assert.deepEqual(await timesOf(scene), before);
  });
}

async function changes(t: Deno.TestContext, scene: Scene): Promise<void> {
  const writes = async (
    change: (database: Database) => Promise<unknown>,
  ): Promise<readonly string[]> => {
    const before = await hashesOf(scene);
    await scene.withDatabase(change);
    const { code, stderr } = await scene.export();
    assert.equal(code, 0, stderr);
    const after = await hashesOf(scene);
    await assertEqual(scene);
    return [...after.keys()].filter((path) => after.get(path) !== before.get(path));
  };
  await t.step("a candle that is revised has its month written again, and no other", async () => {
    const changed = await writes((database) =>
      page(database, ["binance", "ETH/USDT"], "2024-02-05T00:00Z", [7])
    );
    assert.deepEqual(changed, [pathOf(FILES[3]!)]);
  });
  await t.step("a page that says the same again changes nothing", async () => {
    const changed = await writes((database) =>
      page(database, ["binance", "ETH/USDT"], "2024-02-05T00:00Z", [7])
    );
    assert.deepEqual(changed, []);
  });
  await t.step("a candle that comes into a hole of what is covered is written", async () => {
    const changed = await writes((database) =>
      page(database, ["binance", "BTC/USDT"], "2024-01-31T23:00Z", [9, 10])
    );
    assert.deepEqual(changed, [pathOf(FILES[2]!), pathOf(FILES[3]!)]);
  });
  await t.step("a candle that becomes final is written", async () => {
    const changed = await writes((database) =>
      page(database, ["binance", "BTC/USDT"], "2024-03-09T23:00Z", [40000])
    );
    assert.deepEqual(changed, [pathOf(FILES[4]!)]);
  });
  await t.step("a candle that somebody changes by hand is written", async () => {
    const changed = await writes(({ sql }) =>
      sql`update ohlcv_1d set volume = 3 where time = '2024-01-02Z'`
    );
    assert.deepEqual(changed, [pathOf(FILES[1]!)]);
  });
  await t.step("contracts that get a size have their base volumes written", async () => {
    const changed = await writes(({ sql }) =>
      sql`insert into listings (exchange, symbol, since, market_id, volume_unit, contract_size, kind)
          values ('kraken', 'BTC/USD', '2024-02-01Z', 'x', 'base', null, 'spot'),
                 ('kraken', 'BTC/USD', '2024-02-03Z', 'y', 'contracts', 0.5, 'linear')`
    );
    assert.deepEqual(changed, [pathOf(FILES[6]!)]);
  });
  await t.step("a hole that gets a reason is told beside the file, which stays", async () => {
    const changed = await writes(({ sql }) =>
      sql`update gaps set state = 'exchange_outage' where exchange = 'binance'`
    );
    assert.deepEqual(changed, []);
    const { series } = await monthOf(scene, FILES[3]!);
    assert.deepEqual(series[0]?.holes.map(({ reason }) => reason), ["exchange_outage"]);
    assert.equal(series[0]?.candles, 24 * 29 - 2);
  });
}

async function broken(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("a file that was changed, and one that was removed, are written again", async () => {
    const before = await hashesOf(scene);
    await Deno.writeTextFile(`${scene.dataset}/${pathOf(FILES[2]!)}`, "half a file");
    await Deno.remove(`${scene.dataset}/${pathOf(FILES[6]!)}`);
    const { stderr } = await scene.export();
    assert.match(stderr, /^2 files written/);
    assert.deepEqual(await hashesOf(scene), before);
    await assertEqual(scene);
  });
  await t.step("what a killed run left is taken up, and its unfinished file goes", async () => {
    const root = `${scene.dataset}/_manifest.json`;
    const manifest = await manifestOf(scene);
    const files = manifest.files.filter(({ path }) => path !== pathOf(FILES[2]!));
    await Deno.writeTextFile(root, JSON.stringify({ ...manifest, files }));
    const unfinished = `${scene.dataset}/${FILES[2]}/.candles.parquet.1.unfinished`;
    await Deno.writeTextFile(unfinished, "PAR1");
    const before = await timesOf(scene);
    assert.match((await scene.export("--dry-run")).stderr, /^0 files would be written/);
    assert.match((await scene.export()).stderr, /^0 files written/);
    assert.deepEqual((await manifestOf(scene)).files, manifest.files);
    assert.deepEqual(
      [...await timesOf(scene)].filter(([path]) => path.endsWith(".parquet")),
      [...before].filter(([path]) => path.endsWith(".parquet")),
    );
    await assert.rejects(Deno.stat(unfinished), Deno.errors.NotFound);
    assert.equal((await scene.export("--dry-run")).stderr, "0 files would be written, 7 unchanged");
  });
  await t.step("a month that was not told of is written again", async () => {
    await Deno.remove(`${scene.dataset}/${FILES[2]}/_candles.json`);
    await scene.withDatabase(({ sql }) => sql`update gaps set state = 'no_trades'`);
    assert.match((await scene.export()).stderr, /^1 file written.* 1 told why/);
    await assertEqual(scene);
  });
}

async function refusals(t: Deno.TestContext, scene: Scene): Promise<void> {
  const refused = async (args: readonly string[], message: RegExp, code = 1): Promise<void> => {
    const before = await timesOf(scene);
    const result = await scene.export(...args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, message);
    assert.deepEqual(await timesOf(scene), before);
  };
  await t.step(
    "other flags than before are refused, with those that it was made with",
    () =>
      refused(
        ["--exchange", "kraken", "--since", "2024-01-01"],
        /was made with --numbers double, and this command has --numbers double --exchange kraken --since 2024-01-01T00:00:00.000Z/,
      ),
  );
  await t.step("flags that are not for datasets are wrong usage", async () => {
    await refused(["--format", "csv"], /--format is not for --dataset/, 2);
    await refused(["--source", "merged"], /--source merged is not for --dataset/, 2);
  });
  await t.step("a second writer is refused while one writes", async () => {
    using lock = await Deno.open(`${scene.dataset}/.titan10.lock`, { write: true });
    await lock.lock(true);
    await refused([], /another process is writing it/);
  });
  await t.step("another archive's dataset is left as it is", async () => {
    const change = (id: string): Promise<unknown> =>
      scene.withDatabase(({ sql }) => sql`update archive set id = ${id}`);
    const { archive } = await manifestOf(scene);
    await change("00000000-0000-4000-8000-000000000000");
    await refused([], /it is of another archive/);
    // One that was copied goes on with it.
    await scene.withDatabase(({ sql }) =>
      sql`update archive set copied_from = ${archive}, copy_began = now(), copy_ended = now()`
    );
    assert.match((await scene.export()).stderr, /^0 files written/);
    await scene.withDatabase(({ sql }) =>
      sql`update archive set copied_from = null, copy_began = null, copy_ended = null`
    );
    await change(archive);
  });
  await t.step("a dry run makes no folder, and does not wait for one who writes", async () => {
    const folder = `${scene.folder}/none`;
    const { stderr } = await runInProcess(["export", "--dataset", folder, "--dry-run"], scene.env);
    assert.match(stderr, /^7 files would be written/);
    await assert.rejects(Deno.stat(folder), Deno.errors.NotFound);
    using lock = await Deno.open(`${scene.dataset}/.titan10.lock`, { write: true });
    await lock.lock(true);
    assert.match((await scene.export("--dry-run")).stderr, /^0 files would be written/);
  });
  await t.step("a folder with anything else is left as it is", async () => {
    const folder = `${scene.folder}/photos`;
    await Deno.mkdir(folder);
    await Deno.symlink(`${folder}/away.jpg`, `${folder}/cat.jpg`);
    const result = await runInProcess(["export", "--dataset", folder], scene.env);
    assert.equal(result.code, 1);
    assert.match(result.stderr, /it holds cat\.jpg, and no _manifest\.json/);
  });
  await t.step("a manifest that a later version wrote is not touched", async () => {
    const root = `${scene.dataset}/_manifest.json`;
    const text = await Deno.readTextFile(root);
    await Deno.writeTextFile(root, text.replace('"schema": 1', '"schema": 2'));
    await refused([], /a later titan10 has written it/);
    await Deno.writeTextFile(root, text);
  });
}

async function dropped(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("candles that RETENTION drops stay, also in a month that goes on", async () => {
    const before = new Map(
      await Promise.all(FILES.map(async (path) => [path, await rowsOf(scene, path)] as const)),
    );
    await scene.withDatabase(async (database) => {
      await expireCandles(database, HOUR, { untilMs: Date.parse("2024-02-10T00:00Z") });
      await page(database, ["binance", "ETH/USDT"], "2024-02-15T00:00Z", [5]);
    });
    assert.match((await scene.export()).stderr, /^1 file written/);
    for (const path of FILES) {
      const rows = await rowsOf(scene, path);
      if (path !== FILES[3]) assert.deepEqual(rows, before.get(path));
      else {
        const revised = (row: Record<string, unknown>): boolean =>
          row["symbol"] === "ETH/USDT" &&
          (row["time"] as Date).getTime() === Date.parse("2024-02-15T00:00Z");
        assert.deepEqual(
          rows.map((row) => ({ ...row, ...(revised(row) ? OMITTED : {}) })),
          before.get(path)!.map((row) => ({ ...row, ...(revised(row) ? OMITTED : {}) })),
        );
        assert.equal(rows.find(revised)?.["open"], 5);
      }
    }
    const { series, file } = await monthOf(scene, FILES[3]!);
    assert.equal(series.reduce((sum, { candles }) => sum + candles, 0), file.rows);
    assert.deepEqual(series.map(({ covered }) => covered), [
      [["2024-02-01T00:00:00.000Z", "2024-03-01T00:00:00.000Z"]],
      [["2024-02-01T00:00:00.000Z", "2024-02-21T00:00:00.000Z"]],
    ]);
    assert.match((await scene.export()).stderr, /^0 files written.* 7 unchanged/);
  });
  await t.step("a dropped candle that comes to the archive once more is there once", async () => {
    const before = await rowsOf(scene, FILES[3]!);
    const [again, isNew] = ["2024-02-03T05:00Z", "2024-02-09T23:00Z"].map(Date.parse);
    await scene.withDatabase(async (database) => {
      await page(database, ["binance", "ETH/USDT"], "2024-02-03T05:00Z", [3]);
      await page(database, ["binance", "ETH/USDT"], "2024-02-09T23:00Z", [4]);
    });
    assert.match((await scene.export()).stderr, /^1 file written/);
    const opens = (rows: readonly Record<string, unknown>[]): unknown[] =>
      rows.map(({ symbol, time, open }) => [symbol, (time as Date).getTime(), open]);
    assert.deepEqual(
      opens(await rowsOf(scene, FILES[3]!)),
      opens(before).map((row) => {
        const [symbol, time, open] = row as [string, number, number];
        if (symbol !== "ETH/USDT") return row;
        return [symbol, time, time === again ? 3 : time === isNew ? 4 : open];
      }),
    );
    assert.deepEqual((await monthOf(scene, FILES[3]!)).series.at(-1)?.covered, [
      ["2024-02-01T00:00:00.000Z", "2024-02-21T00:00:00.000Z"],
    ]);
    await scene.withDatabase((database) =>
      expireCandles(database, HOUR, { untilMs: Date.parse("2024-02-10T00:00Z") })
    );
  });
  await droppedWhileKilled(t, scene);
  await t.step("what is forgotten is removed, and a file without series goes", async () => {
    await scene.withDatabase(async (database) => {
      await forgetSymbol(database, { exchange: "binance", symbol: "ETH/USDT" });
    });
    await scene.export();
    const symbols = new Set((await rowsOf(scene, FILES[3]!)).map(({ symbol }) => symbol));
    assert.deepEqual([...symbols], ["BTC/USDT"]);
    await scene.withDatabase((database) =>
      forgetSymbol(database, { exchange: "binance", symbol: "BTC/USDT" })
    );
    assert.match((await scene.export()).stderr, / 2 removed/);
    // All of January was dropped by RETENTION before.
    assert.deepEqual(
      (await manifestOf(scene)).files.map(({ path }) => path),
      FILES.filter((path) => path !== FILES[3] && path !== FILES[4]).map(pathOf),
    );
  });
}

async function droppedWhileKilled(t: Deno.TestContext, scene: Scene): Promise<void> {
  const forget = async (folder: string, isTold: boolean): Promise<void> => {
    const manifest = await manifestOf(scene);
    const files = manifest.files.filter(({ path }) => path !== pathOf(folder));
    await Deno.writeTextFile(
      `${scene.dataset}/_manifest.json`,
      JSON.stringify({ ...manifest, files }),
    );
    if (!isTold) await Deno.remove(`${scene.dataset}/${folder}/_candles.json`);
  };
  await t.step(
    "candles that RETENTION dropped stay where a run was killed before it told of them",
    async () => {
      const [folder] = [FILES[3]!];
      const before = await rowsOf(scene, folder);
      await forget(folder, false);
      assert.match((await scene.export()).stderr, /^1 file written/);
      assert.deepEqual(await rowsOf(scene, folder), before);
    },
  );
  await t.step(
    "a month that RETENTION dropped since is named by the run after the killed one",
    async () => {
      const before = await manifestOf(scene);
      await forget(FILES[2]!, true);
      assert.match((await scene.export()).stderr, /^0 files written.* 7 unchanged/);
      assert.deepEqual((await manifestOf(scene)).files, before.files);
    },
  );
  await t.step("a dropped month whose file is gone is not named any more", async () => {
    const path = `${scene.dataset}/${pathOf(FILES[5]!)}`;
    const bytes = await Deno.readFile(path);
    const { files } = await manifestOf(scene);
    await Deno.remove(path);
    const beside = `${scene.dataset}/${FILES[5]}/_candles.json`;
    const told = await Deno.readFile(beside);
    assert.match((await scene.export()).stderr, / 1 removed/);
    assert.equal((await manifestOf(scene)).files.length, files.length - 1);
    await Deno.writeFile(path, bytes);
    await Deno.writeFile(beside, told);
    await scene.export();
    assert.deepEqual((await manifestOf(scene)).files, files);
  });
  await t.step("a damaged file with dropped candles is refused, and left", async () => {
    const path = `${scene.dataset}/${pathOf(FILES[3]!)}`;
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, bytes.length - 9));
    const { code, stderr } = await scene.export();
    assert.equal(code, 1);
    assert.match(stderr, /Cannot read timeframe=1h.* of the dataset .*all that is left/);
    await Deno.writeFile(path, bytes);
  });
}

async function droppedMeanwhile(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step("months that RETENTION drops while a run begins stay", async () => {
    const { files } = await manifestOf(scene);
    await scene.withDatabase(async (database) => {
      await using place = await openFolder(scene.dataset, systemClock);
      await exportDataset({
        place,
        source: async function* (request): ReturnType<DatasetSource> {
          let isFirst = request.dataset === "months";
          for await (const page of datasetPages(database, request)) {
            yield page;
            if (isFirst) {
              await expireCandles(database, HOUR, { untilMs: Date.parse("2024-03-02T00:00Z") });
            }
            isFirst = false;
          }
        },
        choice: { exchanges: [], symbols: [], timeframes: [], sinceMs: null, untilMs: null },
        numbers: "double",
        clock: systemClock,
        signal: new AbortController().signal,
        program: "titan10",
        isDryRun: false,
      });
    });
    assert.deepEqual((await manifestOf(scene)).files, files);
  });
}

async function apart(t: Deno.TestContext, scene: Scene): Promise<void> {
  await t.step(
    "a dry run names no month between two ranges, of which no file is made",
    async () => {
      const series = ["okx", "BTC/USDT"] as const;
      await scene.withDatabase(async (database) => {
        await page(database, series, "2024-05-05T00:00Z", [1]);
        await page(database, series, "2024-08-05T00:00Z", [1]);
      });
      const paths = ["05", "08"].map((month) =>
        pathOf(`timeframe=1h/exchange=okx/month=2024-${month}`)
      );
      const { stderr } = await scene.export("--dry-run");
      assert.deepEqual(stderr.split("\n").slice(1), paths);
      assert.match((await scene.export()).stderr, /^2 files written/);
      assert.match((await scene.export("--dry-run")).stderr, /^0 files would be written/);
    },
  );
  await t.step("a disk's own folder is not of the dataset", async () => {
    await Deno.mkdir(`${scene.folder}/disk/lost+found`, { recursive: true });
    await Deno.writeTextFile(`${scene.folder}/disk/lost+found/1`, "");
    const { code } = await runInProcess(["export", "--dataset", `${scene.folder}/disk`], scene.env);
    assert.equal(code, 0);
  });
}

const OMITTED = { open: 0, high: 0, low: 0, close: 0, volume: 0, volume_base: 0 };

/** Stores a page of candles with these opens, as an answer of the exchange for them alone. */
async function page(
  database: Database,
  [exchange, symbol]: readonly [string, string],
  since: string,
  opens: readonly number[],
): Promise<void> {
  const sinceMs = Date.parse(since);
  const candles = opens.map((open, n): Candle => ({
    openTimeMs: sinceMs + n * HOUR_MS,
    open: `${open}`,
    high: `${open}`,
    low: `${open}`,
    close: `${open}`,
    volume: "1",
  }));
  await writePage(database, { exchange, symbol, timeframe: HOUR }, {
    candles,
    rejected: [],
    answered: { sinceMs, untilMs: sinceMs + opens.length * HOUR_MS },
    reachFromMs: undefined,
  });
}

function pathOf(folder: string): string {
  return `${folder}/candles.parquet`;
}

async function manifestOf({ dataset }: Scene): Promise<DatasetManifest> {
  return DatasetManifest.parse(JSON.parse(await Deno.readTextFile(`${dataset}/_manifest.json`)));
}

async function monthOf({ dataset }: Scene, folder: string): Promise<MonthManifest> {
  const text = await Deno.readTextFile(`${dataset}/${folder}/_candles.json`);
  return MonthManifest.parse(JSON.parse(text));
}

async function rowsOf(
  { dataset }: Scene,
  folder: string,
): Promise<readonly Record<string, unknown>[]> {
  const bytes = await Deno.readFile(`${dataset}/${pathOf(folder)}`);
  return await parquetReadObjects({ file: bytes.buffer, compressors });
}

/** All candles of the files are those of the archive that are final, and the manifest says how many, with their hashes. */
async function assertEqual(scene: Scene): Promise<void> {
  const rows: unknown[][] = [];
  for (const { path, ...file } of (await manifestOf(scene)).files) {
    const folder = path.replace("/candles.parquet", "");
    const found = await rowsOf(scene, folder);
    const [timeframe, exchange, month] = folder.split("/").map((part) => part.split("=")[1]);
    assert.ok(found.every(({ time }) => (time as Date).toISOString().startsWith(month!)));
    rows.push(
      ...found.map((
        { time, ...row },
      ) => [timeframe, exchange, (time as Date).toISOString(), ...Object.values(row)]),
    );
    const bytes = await Deno.readFile(`${scene.dataset}/${path}`);
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
    assert.deepEqual([file.rows, file.bytes, file.sha256], [found.length, bytes.length, hash]);
  }
  const stored = await scene.withDatabase(({ sql }) =>
    sql`select timeframe, exchange, time, symbol, open::float8, high::float8, low::float8, close::float8,
               volume::float8, volume_base::float8
        from ohlcv join checkpoints using (exchange, symbol, timeframe)
        where not unsettled @> time
        order by timeframe collate "C", exchange collate "C", date_trunc('month', time at time zone 'UTC'),
                 symbol collate "C", time`.values()
  );
  assert.deepEqual(
    rows,
    stored.map((row) => row.map((value) => value instanceof Date ? value.toISOString() : value)),
  );
}

/** When files were last written, by path. */
async function timesOf({ dataset }: Scene): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for await (const path of filesOf(dataset)) {
    const { mtime } = await Deno.stat(path);
    times.set(path, mtime!.getTime());
  }
  return times;
}

/** The hashes of the Parquet files, by path in the dataset. */
async function hashesOf(scene: Scene): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  for (const { path } of (await manifestOf(scene)).files) {
    const bytes = await Deno.readFile(`${scene.dataset}/${path}`);
    hashes.set(path, new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex());
  }
  return hashes;
}

async function* filesOf(folder: string): AsyncGenerator<string, void> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* filesOf(`${folder}/${name}`);
    else if (name !== ".titan10.lock") yield `${folder}/${name}`;
  }
}

Deno.test("docs/dataset.schema.json is what reads the manifests", async () => {
  const path = new URL("../../docs/dataset.schema.json", import.meta.url);
  assert.deepEqual(JSON.parse(await Deno.readTextFile(path)), JSON.parse(datasetSchema()));
});
