/** What leaves the archive arrives whole or not at all: files, links, pipes, devices, and readers that have enough. @module */
import assert from "node:assert/strict";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Database } from "../../lib/store/connection/database.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { assertCode, commandLine, run, start, startLine } from "../support/program.ts";
import { seed } from "../support/seeded.ts";
import type { CommandResult } from "../support/shell.ts";
import { until } from "../support/until.ts";

const CANDLES = 30_000;
const PYTHON = Deno.env.get("TITAN10_PYTHON") ?? "";

/** The program as a shell spells it. */
const TITAN10 = commandLine().map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");

Deno.test("what is exported arrives whole, wherever it goes", (t) =>
  withAnyArchivePlace(async ({ folder: cwd, env, withDatabase }) => {
    await withDatabase(makeArchive);
    const whole = (await run(["export"], { cwd, env })).stdout;
    assert.equal(whole.split("\n").length, CANDLES + 2);
    for (const [name, test] of Object.entries(TESTS)) {
      await t.step(name, async () => {
        const folder = await Deno.makeTempDir({ dir: cwd });
        await test({ cwd, env, folder, whole });
        const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
        assert.deepEqual(left.filter((name) => name.endsWith(".unfinished")), []);
      });
    }
  }));

async function makeArchive(database: Database): Promise<void> {
  await seed(database, [{
    ...{ exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" },
    ...{ since: "2024-01-01T00:00:00Z", candles: CANDLES },
  }]);
  await database.sql`
    insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume)
    select 'binance', 'BTC/USDT', '1m', '2024-01-01'::timestamptz + n * interval '1 minute', 1, 1, 1, 1, 1
    from generate_series(0, 19999) as n`;
  await database.sql`
    insert into gaps (exchange, symbol, timeframe, since, until, state, missing)
    select 'binance', 'BTC/USDT', '1m', '2024-01-01'::timestamptz + n * interval '2 minutes',
           '2024-01-01'::timestamptz + (n * 2 + 1) * interval '1 minute', 'no_trades', 1
    from generate_series(0, 9999) as n`;
}

interface Where {
  readonly cwd: string;
  /** Where the archive is. */
  readonly env: Readonly<Record<string, string>>;
}

interface Scene extends Where {
  /** Empty at first. */
  readonly folder: string;
  /** All candles as CSV. */
  readonly whole: string;
}

async function exported(where: Where, ...args: string[]): Promise<string> {
  const result = await run(["export", ...args], where);
  assertCode(result, 0);
  return result.stderr;
}

/** Runs a line of bash to its end. */
async function bash(line: string, where: Where): Promise<CommandResult> {
  const running = startLine(`exec bash -c '${line.replaceAll("'", `'\\''`)}'`, where);
  const { code } = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

const TESTS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  "a FIFO stays a FIFO, and its reader gets all of it": async ({ folder, whole, ...where }) => {
    const path = `${folder}/pipe.csv`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const reading = new Deno.Command("cat", { args: [path] }).output();
    await exported(where, "-o", path);
    assert.equal(new TextDecoder().decode((await reading).stdout), whole);
    assert.equal((await Deno.lstat(path)).isFifo, true);
  },

  "/dev/stdout is standard output, also where that is a file that is appended to": async (
    { folder, whole, ...where },
  ) => {
    await Deno.writeTextFile(`${folder}/all.csv`, "before\n");
    const line = `${TITAN10} export -o /dev/stdout >> ${folder}/all.csv`;
    assertCode(await bash(line, where), 0);
    assert.equal(await Deno.readTextFile(`${folder}/all.csv`), `before\n${whole}`);
  },

  "/dev/null takes all and stays what it is": async (where) => {
    await exported(where, "-o", "/dev/null");
    assert.equal((await Deno.lstat("/dev/null")).isCharDevice, true);
  },

  "what cannot be written is named, with what to do": async (
    { folder, ...where },
  ) => {
    const texts = {
      [folder]: /^Cannot create .*: it is a folder\. Name a file in it$/m,
      [`${folder}/new/`]: /^Cannot create .*: it is a folder\. Name a file in it$/m,
      [`${folder}/none/x.csv`]: /^Cannot create .*: No such file or directory$/m,
      "/dev/fd/7":
        /^Cannot create \/dev\/fd\/7: titan10 opens nothing in \/dev, \/proc and \/sys\. .* > \/dev\/fd\/7$/m,
    };
    for (const [path, text] of Object.entries(texts)) {
      const result = await run(["export", "-o", path], where);
      assertCode(result, 1);
      assert.match(result.stderr, text);
    }
  },

  "a link is followed: what it leads to is replaced, and keeps its rights": async (
    { folder, whole, ...where },
  ) => {
    await Deno.mkdir(`${folder}/far`);
    const target = `${folder}/far/real.csv`;
    await Deno.writeTextFile(target, "old", { mode: 0o640 });
    await Deno.chmod(target, 0o640);
    await Deno.symlink("far/real.csv", `${folder}/near.csv`);
    await Deno.symlink("near.csv", `${folder}/nearer.csv`);
    await exported(where, "-o", `${folder}/nearer.csv`);
    assert.equal(await Deno.readTextFile(target), whole);
    assert.equal((await Deno.stat(target)).mode! & 0o777, 0o640);
    for (const name of ["near.csv", "nearer.csv"]) {
      assert.equal((await Deno.lstat(`${folder}/${name}`)).isSymlink, true);
    }
    // One that leads to nothing yet, and one that leads to itself.
    await Deno.symlink("far/new.csv", `${folder}/dangling.csv`);
    await exported(where, "-o", `${folder}/dangling.csv`);
    assert.equal(await Deno.readTextFile(`${folder}/far/new.csv`), whole);
    await Deno.symlink("circle.csv", `${folder}/circle.csv`);
    const circle = await run(["export", "-o", `${folder}/circle.csv`], where);
    assertCode(circle, 1);
    assert.match(circle.stderr, /^Cannot create .*circle/m);
  },

  "where no room is left the old file stays, and nothing of the new one": async (
    { folder, ...where },
  ) => {
    // The embedded server writes files of its own, which the limit of this test would end, too.
    if (where.env["DATABASE_URL"] === undefined) return;
    const path = `${folder}/kept.csv`;
    await Deno.writeTextFile(path, "old");
    // Of 1024 bytes each; the signal that comes with it is ignored, as a full disk sends none.
    const limited = `trap "" XFSZ; ulimit -f 64; ${TITAN10} export --exchange binance -o ${path}`;
    const result = await bash(limited, where);
    assertCode(result, 1);
    assert.match(result.stderr, /^Cannot write .*kept\.csv: File too large$/m);
    assert.equal(await Deno.readTextFile(path), "old");
  },

  "a signal ends it with the old file in its place; what a kill leaves goes with the next": async (
    { folder, whole, ...where },
  ) => {
    const path = `${folder}/cut.csv`;
    const cut = async (signal: Deno.Signal): Promise<number> => {
      for (;;) {
        await Deno.writeTextFile(path, "old");
        const leaving = start(["export", "-o", path], where);
        await until("an unfinished file", async () => {
          const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
          return names.some((name) => name.includes(String(leaving.pid)));
        });
        leaving.kill(signal);
        const { code } = await leaving.ended;
        // On a busy machine it may have written all before the signal came.
        if (await Deno.readTextFile(path) !== whole) return code;
      }
    };
    for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGKILL", 137]] as const) {
      assert.equal(await cut(signal), code);
      assert.equal(await Deno.readTextFile(path), "old");
    }
    const left = (): readonly string[] => [...Deno.readDirSync(folder)].map(({ name }) => name);
    assert.equal(left().length, 2, left().join());
    // What another program is writing just now is no leftover; nor is what only looks like one.
    const other = await Deno.open(`${folder}/.cut.csv.1.unfinished`, { write: true, create: true });
    await other.lock(true);
    await Deno.writeTextFile(`${folder}/.cut.csv.mine.unfinished`, "");
    await exported(where, "-o", path);
    assert.equal(await Deno.readTextFile(path), whole);
    const names = [".cut.csv.1.unfinished", ".cut.csv.mine.unfinished", "cut.csv"];
    assert.deepEqual(left().toSorted(), names);
    other.close();
    for (const name of names) await Deno.remove(`${folder}/${name}`);
  },

  "gzip and zstd hold what CSV holds, by the name or by --compress": async (
    { folder, whole, ...where },
  ) => {
    const unpack = { gz: gunzipSync, zst: zstdDecompressSync } as const;
    for (const [ending, method] of [["gz", "gzip"], ["zst", "zstd"]] as const) {
      const told = await exported(where, "-o", `${folder}/all.csv.${ending}`);
      assert.equal(told.trim(), `30,000 candles of 1 series in ${folder}/all.csv.${ending}`);
      const line = `${TITAN10} export --compress ${method} > ${folder}/piped`;
      assertCode(await bash(line, where), 0);
      for (const name of [`all.csv.${ending}`, "piped"]) {
        const bytes = await Deno.readFile(`${folder}/${name}`);
        assert.ok(bytes.length < whole.length / 2);
        assert.equal(new TextDecoder().decode(unpack[ending](bytes)), whole);
      }
    }
  },

  "a reader that has read enough ends it with 0, whatever is written and however": async (
    where,
  ) => {
    const lines = [
      ..."candles gaps revisions".split(" ").map((what) => `export --what ${what}`),
      ..."gaps revisions".split(" ").map((what) => `export --what ${what} --format parquet`),
      ...["export --format parquet", "export --compress gzip", "export --compress zstd"],
      ...["export -o /dev/stdout", "export --source merged", "gaps --json", "gaps", "report"],
      ...["events --json", "status --json", "report --html -", "config --json"],
      ..."--csv --json".split(" ").map((form) => `query ${form} "select * from ohlcv"`),
    ];
    for (const line of lines) {
      const { stdout, stderr } = await bash(
        `${TITAN10} ${line} | head -c 100 > /dev/null; echo "\${PIPESTATUS[0]}"`,
        where,
      );
      assert.equal(stdout.trim(), "0", `${line}: ${stderr}`);
      assert.doesNotMatch(stderr, /roken pipe|Cannot/, line);
    }
  },
};

Deno.test({
  name: `pandas, Polars and DuckDB read all that is written${
    PYTHON === "" ? " (needs TITAN10_PYTHON)" : ""
  }`,
  ignore: PYTHON === "",
  fn: () =>
    withAnyArchivePlace(async ({ folder: cwd, env, withDatabase }) => {
      await withDatabase((database) =>
        seed(database, [{
          ...{ exchange: "binance", symbol: "BTC/USDT", timeframe: "1h" },
          ...{ since: "2024-01-01T00:00:00Z", candles: 1_000 },
        }])
      );
      const names = ["all.csv", "all.csv.gz", "all.csv.zst", "all.parquet"];
      for (const name of names) await exported({ cwd, env }, "-o", name);
      const { code, stdout, stderr } = await new Deno.Command(PYTHON, {
        args: ["-c", READ, ...names],
        cwd,
      }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
      const sums = new TextDecoder().decode(stdout).trim().split("\n");
      assert.equal(sums.length, 11);
      assert.equal(new Set(sums).size, 1, sums.join("\n"));
      assert.match(sums[0]!, /^1000 2024-01-01 00:00:00 2024-02-11 15:00:00 /);
    }),
});

/** pandas needs another package for zstd. */
const READ = `
import duckdb, pandas, polars, sys
def tell(rows, first, last, close, volume):
    print(rows, str(first)[:19], str(last)[:19], round(close, 6), round(volume, 9))
for name in sys.argv[1:]:
    if name.endswith("parquet"):
        frames = [pandas.read_parquet(name), polars.read_parquet(name)]
    else:
        frames = [polars.read_csv(name, try_parse_dates=True)]
        if not name.endswith("zst"):
            frames.append(pandas.read_csv(name, parse_dates=["time"]))
    for frame in frames:
        tell(len(frame), frame["time"].min(), frame["time"].max(), frame["close"].sum(), frame["volume"].sum())
    tell(*duckdb.sql(f"""
        select count(*), min(time)::timestamptz at time zone 'UTC', max(time)::timestamptz at time zone 'UTC',
               sum(close)::double, sum(volume)::double
        from '{name}'""").fetchall()[0])`;
