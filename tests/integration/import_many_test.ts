/** `titan10 import` of many files: one that is bad stops no other, and a repeat does only what is left. @module */
import assert from "node:assert/strict";
import { importFiles } from "../../lib/transfer/import_batch.ts";
import { listFiles } from "../../lib/transfer/file_list.ts";
import { systemClock } from "../../lib/clock.ts";
import {
  type ArchivePlace,
  withAnyArchivePlace,
  withArchivePlace,
} from "../support/archive_place.ts";
import { fileText, hourOf, writeFiles } from "../support/many_files.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";
import { zip } from "../support/zip_files.ts";

interface Tools extends ArchivePlace {
  readonly write: (path: string, text: string) => Promise<void>;
  readonly imported: (...args: string[]) => Promise<CommandResult>;
  readonly json: (...args: string[]) => Promise<ImportDocument>;
  readonly asked: (text: string) => Promise<unknown[]>;
}

interface ImportDocument {
  readonly series: readonly Record<string, unknown>[];
  readonly total: Readonly<Record<string, number>>;
  readonly tables: number;
  readonly known: number;
  readonly refusals: number;
  readonly refused: readonly { readonly file: string; readonly reason: string }[];
  readonly conflicts: readonly Record<string, unknown>[];
  readonly rejected: readonly Record<string, unknown>[];
  readonly leftOut: { readonly count: number; readonly first: readonly string[] };
}

function toolsOf(place: ArchivePlace): Tools {
  const env = { TIMEFRAMES: "1m", BACKFILL: "off", ...place.env };
  const imported: Tools["imported"] = (...args) => runInProcess(["import", ...args], env);
  return {
    ...place,
    imported,
    json: async (...args) => JSON.parse((await imported("--json", ...args)).stdout),
    async write(path, text): Promise<void> {
      const whole = `${place.folder}/${path}`;
      await Deno.mkdir(whole.slice(0, whole.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(whole, text);
    },
    asked: (text) => place.withDatabase(async ({ sql }) => [...await sql.unsafe(text)]),
  };
}

/** Every row is one of these. */
function addUp({ rows, ...counts }: Readonly<Record<string, number>>): void {
  assert.equal(Object.values(counts).reduce((sum, number) => sum + number, 0), rows);
}

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`of a folder of 200 files the five bad ones are refused, into a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async (place) => {
      const { folder, write, imported, json, asked } = toolsOf(place);
      await writeFiles(`${folder}/data`, {
        symbols: ["BTC/USDT", "ETH/USDT", "SOL/USDT"],
        hours: 65,
      });
      const bad = fileText("BTC/USDT", hourOf(900)).split("\n");
      await write("data/BTC-USDT/3.5.csv", bad.with(30, "binance,BTC/USDT,1m,what").join("\n"));
      await write("data/bad/empty.csv", "");
      await write("data/bad/page.csv", "<html><body>404</body></html>\n");
      await write("data/bad/prose.txt", "Nothing of this is a candle.\nNor is this.\n");
      await write("data/bad/unknown.csv", bad.join("\n").replaceAll("binance", "kraaken"));
      for (const name of [".hidden.csv", "README.md", "a.png", "_SUCCESS", "x/b.csv.part"]) {
        await write(`data/${name}`, "x");
      }
      const first = await imported(`${folder}/data`);
      assert.equal(first.code, 1, first.stderr);
      const told = first.stderr.split("\n").filter((line) => line.startsWith("Refused: "));
      assert.equal(told.length, 5);
      assert.ok(
        told.some((line) =>
          /^Refused: Cannot read line 31 of .*BTC-USDT\/3\.5\.csv: it has 4 fields/.test(line)
        ),
        first.stderr,
      );
      assert.match(
        first.stdout,
        /^In all: 200 files, 195 tables taken, 3 series, 11,700 rows\n {2}11,700 added$/m,
      );
      assert.match(
        first.stdout,
        /^5 refused, and nothing of them stored:\n.*\n.*\n.*\n {2}and 2 more$/m,
      );
      assert.match(
        first.stdout,
        /^5 files left out, as no candles are expected in them: .*\/\.hidden\.csv, .* and 2 more$/m,
      );
      assert.match(
        first.stdout,
        /^binance SOL\/USDT 1m: 3,900 rows, 2024-03-01 00:00 to 2024-03-03 16:59\n {2}3,900 added$/m,
      );
      const stored = `select symbol, candles::int, covered::text from checkpoints order by symbol`;
      const before = await asked(stored);
      assert.equal(before.length, 3);
      assert.deepEqual(
        await asked(
          "select symbol, times, candles::int, text from events where kind = 'imported' and symbol = 'BTC/USDT'",
        ),
        [{
          symbol: "BTC/USDT",
          times: 1,
          candles: 3_900,
          text: "binance BTC/USDT 1m: imported from 65 files",
        }],
      );
      const again = await json(`${folder}/data`);
      assert.deepEqual([again.tables, again.known, again.refusals, again.total["rows"]], [
        195,
        195,
        5,
        0,
      ]);
      const anew = await json("--again", `${folder}/data`);
      assert.deepEqual([anew.known, anew.total["same"]], [0, 11_700]);
      addUp(anew.total);
      assert.deepEqual(await asked(stored), before);
    }));
}

Deno.test("files that contradict each other are stored in their order, and each row is counted once", (t) =>
  withAnyArchivePlace(async (place) => {
    const { folder, write, json, asked, imported, withDatabase } = toolsOf(place);
    // Numbers in names count as numbers, so 9 comes before 10.
    for (const number of [9, 10, 11]) {
      await write(`data/${number}.csv`, fileText("BTC/USDT", hourOf(0, 300 + number)));
    }
    const broken = fileText("ETH/USDT", hourOf(0)).split("\n");
    broken[7] = broken[7]!.replace(/,[^,]*,[^,]*$/, ",9999,-1");
    await write("data/12.csv", broken.join("\n"));
    let first: ImportDocument | undefined;
    await t.step(
      "the first file's values are stored, and the others' are told with their lines",
      async () => {
        first = await json(`${folder}/data`);
        addUp(first.total);
        assert.deepEqual(
          [first.total["added"], first.total["conflicts"], first.total["rejected"]],
          [119, 120, 1],
        );
        assert.deepEqual(first.conflicts.map(({ file, place, time }) => [file, place, time]), [
          [`${folder}/data/10.csv`, "line 2", "2024-03-01T00:00:00.000Z"],
          [`${folder}/data/10.csv`, "line 3", "2024-03-01T00:01:00.000Z"],
          [`${folder}/data/10.csv`, "line 4", "2024-03-01T00:02:00.000Z"],
        ]);
        assert.deepEqual(first.rejected.map(({ file, place }) => [file, place]), [
          [`${folder}/data/12.csv`, "line 8"],
        ]);
        const [open] = await asked(
          "select open::text from ohlcv_1m where symbol = 'BTC/USDT' order by time limit 1",
        );
        assert.deepEqual(open, { open: "309.00" });
      },
    );
    await t.step("for people, too", async () => {
      const { stdout, code } = await imported("--again", `${folder}/data`);
      assert.equal(code, 0);
      assert.match(
        stdout,
        /^First of the 120 stored with other values:\n {2}.*\/10\.csv, line 2: binance BTC\/USDT 1m 2024-03-01 00:00$/m,
      );
      assert.match(
        stdout,
        /^First of the 1 rejected:\n {2}.*\/12\.csv, line 8: binance ETH\/USDT 1m 2024-03-01 00:06: /m,
      );
    });
    await t.step(
      "with --replace the last file's are, also when all is done once more",
      async () => {
        for (const _ of [1, 2]) {
          assert.equal((await json("--replace", `${folder}/data`)).total["conflicts"], 0);
          const [open] = await asked(
            "select open::text from ohlcv_1m where symbol = 'BTC/USDT' order by time limit 1",
          );
          assert.deepEqual(open, { open: "311.00" });
        }
      },
    );
    await t.step("other options make it another import, and so does a lost candle", async () => {
      const since = ["--since", "2024-03-01T00:30Z"];
      assert.equal((await json(`${folder}/data/12.csv`)).known, 1);
      assert.equal((await json(...since, `${folder}/data/12.csv`)).known, 0);
      assert.equal((await json(...since, `${folder}/data/12.csv`)).known, 1);
      await withDatabase(({ sql }) =>
        sql`update checkpoints set covered = '{}' where symbol = 'ETH/USDT'`
      );
      assert.equal((await json(`${folder}/data/12.csv`)).known, 0);
    });
  }));

Deno.test("what is named is found as a shell would find it", (t) =>
  withAnyArchivePlace(async (place) => {
    const { folder, write, json, imported, env } = toolsOf(place);
    const data = `${folder}/data`;
    const names = ["a b.csv", "-x.csv", "c\x1b[31m\n.csv", "[1].csv", "deep/er/d.csv"];
    for (const [at, name] of names.entries()) {
      await write(`data/${name}`, fileText("BTC/USDT", hourOf(at)));
    }
    await t.step("patterns that no shell expanded, each file once", async () => {
      for (
        const [pattern, tables] of [
          [`${data}/*.csv`, 4],
          [`${data}/{a*,-?}.csv`, 2],
          [`${data}/**/*.csv`, 5],
          [`${data}/*/er`, 1],
          [`${data}/[1].csv`, 1],
        ] as const
      ) assert.equal((await json(pattern)).tables, tables, pattern);
      assert.equal((await json(data, `${data}/deep`, `${data}/a b.csv`)).tables, 5);
      const none = await imported(`${data}/*.zip`);
      assert.deepEqual([none.code, none.stderr], [1, `Cannot read ${data}/*.zip: no file matches`]);
    });
    await t.step("links that lead in a circle, and those that lead nowhere", async () => {
      await Deno.symlink(data, `${data}/deep/circle`);
      await Deno.symlink(`${data}/deep/er/d.csv`, `${data}/deep/link.csv`);
      await Deno.symlink(`${data}/none.csv`, `${data}/deep/none.csv`);
      const { tables, refused } = await json(data);
      assert.equal(tables, 5);
      assert.deepEqual(refused, [{
        file: `${data}/deep/none.csv`,
        reason: `Cannot read ${data}/deep/none.csv: No such file or directory`,
      }]);
      await Deno.remove(`${data}/deep/none.csv`);
    });
    await t.step("names never reach the terminal with their control bytes", async () => {
      await write("data/c\x1b[31m\n.csv", "x\n");
      const { stdout, stderr, code } = await imported(data);
      assert.equal(code, 1);
      assert.match(stderr, /^Refused: .*c\\x1b\[31m\\n\.csv/);
      // deno-lint-ignore no-control-regex
      assert.doesNotMatch(stdout + stderr, /\x1b/);
      await Deno.remove(`${data}/c\x1b[31m\n.csv`);
    });
    await t.step("standard input is one of the files", async () => {
      const result = await runInProcess(
        ["import", "--json", "-", `${data}/a b.csv`],
        { TIMEFRAMES: "1m", BACKFILL: "off", ...env },
        undefined,
        fileText("ETH/USDT", hourOf(0)),
      );
      const { tables, series } = JSON.parse(result.stdout);
      assert.deepEqual([tables, series[0].symbol], [2, "ETH/USDT"]);
    });
    await t.step(
      "a folder without candles, and a link to itself, stop no other",
      async () => {
        await Deno.mkdir(`${folder}/empty`);
        await Deno.symlink("self", `${folder}/empty/self`);
        const { tables, refused } = await json(`${folder}/empty`, data);
        assert.equal(tables, 4);
        assert.match(
          refused[0]!.reason,
          /^Cannot read .*\/empty\/self: Too many levels of symbolic links/,
        );
        assert.equal(refused.length, 1);
        await Deno.remove(`${folder}/empty/self`);
        const [none] = (await json(`${folder}/empty`, data)).refused;
        assert.deepEqual(none, {
          file: `${folder}/empty`,
          reason: `Cannot read ${folder}/empty: it holds no file of candles`,
        });
      },
    );
  }));

Deno.test({
  name: "a folder that may not be read is told, and the others are read",
  // Nothing is forbidden to the superuser.
  ignore: Deno.uid() === 0,
  fn: () =>
    withAnyArchivePlace(async (place) => {
      const { folder, write, json } = toolsOf(place);
      await write("data/closed/a.csv", fileText("BTC/USDT", hourOf(0)));
      await write("data/open/a.csv", fileText("BTC/USDT", hourOf(1)));
      await Deno.chmod(`${folder}/data/closed`, 0o000);
      try {
        const { tables, refused } = await json(`${folder}/data`);
        assert.deepEqual([tables, refused], [1, [{
          file: `${folder}/data/closed`,
          reason: `Cannot read ${folder}/data/closed: Permission denied`,
        }]]);
      } finally {
        await Deno.chmod(`${folder}/data/closed`, 0o700);
      }
    }),
});

Deno.test("a file that is deleted after it was listed is refused, and the next is read", async () => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-many-" });
  try {
    for (const name of ["1", "2"]) await Deno.writeTextFile(`${folder}/${name}.csv`, "x\n");
    const { signal } = new AbortController();
    const { files } = await listFiles([folder], { signal });
    await Deno.remove(`${folder}/1.csv`);
    const refused: string[] = [];
    await importFiles(
      {
        config: { retry: { attempts: 1, minMs: 1, maxMs: 1 }, compressAfterMs: 1 },
        clock: systemClock,
        random: Math.random,
        open: () => Promise.reject(new Error("nothing was to be stored")),
      } as unknown as Parameters<typeof importFiles>[0],
      files,
      {
        format: { exchange: "binance", knownExchanges: ["binance"] } as never,
        reading: {},
        sinceMs: undefined,
        untilMs: undefined,
        isComplete: false,
        replaces: false,
        isAgain: false,
        atOnce: 1,
        input: new Blob().stream(),
        signal,
        onTaken: () => assert.fail("nothing can be taken"),
        onRefused: (path, error) => refused.push(`${path}: ${(error as Error).message}`),
        onLeftOut: () => {},
        onProgress: () => {},
      },
    );
    assert.equal(refused.length, 2);
    assert.match(refused[0]!, /1\.csv: Cannot read .*1\.csv: No such file or directory$/);
    assert.match(refused[1]!, /2\.csv: /);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--dry-run makes no archive, and shows in 80 columns how each file is understood", async () => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-dry-" });
  try {
    const rows = fileText("BTC/USDT", hourOf(0)).split("\n");
    rows[5] = rows[5]!.replace(/,[^,]*,[^,]*$/, ",9999,-1");
    await Deno.writeTextFile(`${folder}/a.csv`, rows.join("\n"));
    await Deno.writeTextFile(`${folder}/b.csv`, "x\n");
    const env = { DATA_DIR: `${folder}/data`, TIMEFRAMES: "1m", BACKFILL: "off" };
    const { code, stdout } = await runInProcess(["import", "--dry-run", folder], env);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /binance BTC\/USDT 1m: 60 rows, 2024-03-01 00:00 to 2024-03-01 00:59, 1 rejected$/m,
    );
    assert.match(stdout, /^ {2}line 6 would be rejected: /m);
    assert.match(stdout, /^ {2}2024-03-01 00:00:00 +400 +\S+ +\S+ +\S+ +1\.125$/m);
    assert.match(stdout, /^Would be refused: .*b\.csv/m);
    assert.match(stdout, /^1 table understood, 1 would be refused\. Nothing was stored\.$/m);
    for (const line of stdout.split("\n")) {
      if (!line.startsWith("Would be refused")) assert.ok(line.length <= 80, line);
    }
    await assert.rejects(Deno.stat(`${folder}/data`), Deno.errors.NotFound);
    const json = await runInProcess(["import", "--dry-run", "--json", folder], env);
    const { tables, refusals } = JSON.parse(json.stdout);
    assert.deepEqual([tables[0].series[0].candles, refusals], [59, 1]);
    assert.equal(tables[0].series[0].firstRows.length, 3);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("--dry-run shows times and volumes of Binance's eight decimals in 80 columns", async () => {
  const folder = await Deno.makeTempDir({ prefix: "titan10-dry-" });
  try {
    const path = `${folder}/BTCUSDT-1m-2024-03.csv`;
    const openMs = Date.UTC(2024, 2, 1);
    const rows = ["1.5", "2.25"].map((volume, index) => {
      const timeMs = openMs + index * 60_000;
      const price = "40000.00000000,40061.05000000,39965.79000000,40043.16000000";
      const base = Number(volume).toFixed(8);
      const quote = (Number(volume) * 40_000).toFixed(8);
      return `${timeMs},${price},${base},${timeMs + 59_999},${quote},9,1.00000000,40000.00000000,0`;
    });
    await Deno.writeTextFile(path, `${rows.join("\n")}\n`);
    const env = { DATA_DIR: `${folder}/data`, TIMEFRAMES: "1m", BACKFILL: "off" };
    const asked = await runInProcess(["import", "--dry-run", path], env);
    assert.match(
      asked.stdout,
      /exchange is missing.*--preset binance or --preset binance-futures/,
      "the sources that it may be from are named",
    );
    const { stdout } = await runInProcess(
      ["import", "--dry-run", "--preset", "binance", path],
      env,
    );
    assert.match(stdout, /volume in the base currency$/m);
    assert.match(
      stdout,
      /^ {2}2024-03-01 00:01:00 +40000 +40061\.05 +39965\.79 +40043\.16 +2\.25$/m,
      stdout,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the members of an archive are tables of their own: one that is bad stops no other", () =>
  withAnyArchivePlace(async (place) => {
    const { folder, json, asked } = toolsOf(place);
    const bad = fileText("BTC/USDT", hourOf(50)).split("\n").with(9, "binance,BTC/USDT,1m,what");
    const hours = Array.from({ length: 40 }, (_, hour) => ({
      name: `hours/${hour}.csv`,
      content: fileText("BTC/USDT", hourOf(hour)),
    }));
    const archive = await zip([
      { name: "README.md", content: "# Hourly files\n" },
      ...hours,
      { name: "hours/bad.csv", content: bad.join("\n") },
    ]);
    await Deno.writeFile(`${folder}/hours.zip`, archive);
    const first = await json(`${folder}/hours.zip`);
    addUp(first.total);
    assert.deepEqual([first.tables, first.refusals], [40, 1]);
    assert.match(first.refused[0]!.file, /^hours\/bad\.csv in .*hours\.zip$/);
    assert.deepEqual(first.leftOut.count, 1);
    assert.match(first.leftOut.first[0]!, /README\.md/);
    assert.deepEqual(await asked("select candles::int from checkpoints"), [{ candles: 2_400 }]);
    assert.deepEqual(
      await asked("select count(distinct file)::int, min(file) from imports"),
      [{ count: 40, min: "0.csv in hours.zip" }],
    );
    const again = await json(`${folder}/hours.zip`);
    assert.deepEqual([again.known, again.refusals, again.total["rows"]], [40, 1, 0]);
  }));
