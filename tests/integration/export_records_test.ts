/** `titan10 export --what gaps` and `--what revisions`: what is written is what the archive tells of. @module */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import { withArchivePlace } from "../support/archive_place.ts";
import { makeKnownArchive } from "../support/known_archive.ts";
import { runInProcess } from "../support/shell.ts";

const PYTHON = Deno.env.get("TITAN10_PYTHON") ?? "";

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`gaps and revisions are exported from a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async ({ folder, env, withDatabase }) => {
      await withDatabase(async (database) => {
        await makeKnownArchive(database);
        // More than a page of one series, each candle twice.
        await database.sql`
          insert into candle_revisions (exchange, symbol, timeframe, time, open, high, low, close, volume,
                                        open_by, high_by, low_by, close_by, volume_by)
          select 'okx', 'BTC/USDT', '5m', '2024-03-01'::timestamptz + n / 2 * interval '5 minutes', 1, 2, 0.5, 1.5, 10,
                 0, 1.000000000000000001, 0, 0.5, n
          from generate_series(0, 10499) as n`;
      });
      await steps(t, { folder, env });
    }));
}

type Place = { readonly folder: string; readonly env: Readonly<Record<string, string>> };

async function steps(t: Deno.TestContext, { folder, env }: Place): Promise<void> {
  const csv = async (...args: string[]): Promise<readonly Record<string, string>[]> => {
    const { code, stdout, stderr } = await runInProcess(["export", ...args], env);
    assert.equal(code, 0, stderr);
    const [head = "", ...lines] = stdout.split("\n");
    const names = head.split(",");
    return lines.map((line) =>
      Object.fromEntries(line.split(",").map((cell, n) => [names[n]!, cell]))
    );
  };
  await t.step(
    "gaps come with their states, those that are explained without a next try",
    async () => {
      const all = await csv(
        "--what",
        "gaps",
        "--exchange",
        "binance,kraken",
        "--symbol",
        "BTC/USDT",
      );
      const shown = all.filter(({ since }) => since! >= "2024-03-01T01").map((gap) => ({
        ...gap,
        first_seen: gap["first_seen"] === "" ? "" : "…",
        next_try: gap["next_try"] === "" ? "" : "…",
      }));
      const none = { timeframe: "5m", attempts: "0", last_try: "", first_seen: "…" };
      const binance = { exchange: "binance", symbol: "BTC/USDT", ...none, next_try: "" };
      const day = "2024-03-01T";
      assert.deepEqual(shown, [
        {
          ...{ ...binance, since: `${day}10:00:00Z`, until: `${day}10:30:00Z` },
          ...{ state: "no_trades", missing: "6" },
        },
        {
          ...{ ...binance, since: `${day}12:00:00Z`, until: `${day}12:05:00Z` },
          ...{ state: "rejected", missing: "1" },
        },
        {
          ...{ ...binance, exchange: "kraken", next_try: "…", state: "suspected", missing: "2" },
          ...{ since: "2024-03-02T20:00:00Z", until: "2024-03-02T20:10:00Z" },
        },
      ]);
    },
  );
  await t.step(
    "a range chooses the gaps that reach into it, and has an end that is open",
    async () => {
      const sinces = async (since: string, until: string): Promise<readonly string[]> =>
        (await csv(
          ...["--what", "gaps", "--exchange", "binance", "--symbol", "BTC/USDT"],
          ...["--since", since, "--until", until],
        )).map((gap) => gap["since"]!.slice(11, 16));
      assert.deepEqual(await sinces("2024-03-01T10:29Z", "2024-03-01T12:01Z"), ["10:00", "12:00"]);
      assert.deepEqual(await sinces("2024-03-01T10:30Z", "2024-03-01T12:00Z"), []);
    },
  );
  await t.step("revisions have the values before and after, each once and in order", async () => {
    const all = await csv("--what", "revisions", "--exchange", "okx", "--symbol", "BTC/USDT");
    assert.equal(all.length, 10_500);
    const [first, second] = all;
    const { revised_at, number, ...values } = second!;
    assert.match(revised_at!, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z$/);
    assert.ok(Number(number) > Number(first!["number"]));
    assert.deepEqual(values, {
      ...{ exchange: "okx", symbol: "BTC/USDT", timeframe: "5m", time: "2024-03-01T00:00:00Z" },
      ...{ open: "1", high: "2", low: "0.5", close: "1.5", volume: "10" },
      ...{ new_open: "1", new_high: "3.000000000000000001", new_low: "0.5", new_close: "2.0" },
      ...{ new_volume: "11", import_id: "" },
    });
    const order = all.map(({ time, number }) => `${time} ${number!.padStart(12, "0")}`);
    assert.deepEqual(order, order.toSorted());
    assert.equal(new Set(order).size, all.length);
  });
  await t.step("what was taken back has no values that replaced it", async () => {
    const taken = await csv(
      ...["--what", "revisions", "--symbol", "ETH/USDT", "--exchange", "okx"],
      ...["--since", "2024-03-02T23:55Z"],
    );
    assert.deepEqual(taken.map(({ open, new_open, new_volume }) => [open, new_open, new_volume]), [
      ...taken.slice(0, -1).map(({ open, new_volume }) => [open, open, new_volume]),
      ["1", "", ""],
    ]);
  });
  for (const what of ["gaps", "revisions"]) {
    await t.step(`Parquet holds the same ${what} as CSV`, async () => {
      const path = `${folder}/${what}.parquet`;
      const { code, stderr } = await runInProcess(["export", "--what", what, "-o", path], env);
      assert.equal(code, 0, stderr);
      assert.match(stderr, new RegExp(`^[\\d,]+ ${what} in `));
      const rows = await parquetReadObjects({ file: (await Deno.readFile(path)).buffer });
      const wanted = (await csv("--what", what)).filter(({ symbol }) => !symbol!.includes("<"));
      const read = (rows as Record<string, unknown>[])
        .filter(({ symbol }) => !String(symbol).includes("<"));
      assert.equal(read.length, wanted.length);
      for (const at of [0, Math.floor(read.length / 2), read.length - 1]) {
        assert.deepEqual(textsOf(read[at]!), numbersOf(wanted[at]!), String(at));
      }
    });
    await t.step({
      name: `pandas and DuckDB read these ${what}${PYTHON === "" ? " (needs TITAN10_PYTHON)" : ""}`,
      ignore: PYTHON === "",
      fn: async () => {
        const program = `
import duckdb, pandas, sys
frame = pandas.read_parquet(sys.argv[1])
((rows,),) = duckdb.sql(f"select count(*) from '{sys.argv[1]}'").fetchall()
assert rows == len(frame) > 0
print(rows, *(str(kind) for kind in frame.dtypes if "datetime" in str(kind)), sep="\\n")`;
        const path = `${folder}/${what}.parquet`;
        const { code, stdout, stderr } = await new Deno.Command(PYTHON, {
          args: ["-c", program, path],
        }).output();
        assert.equal(code, 0, new TextDecoder().decode(stderr));
        const [rows, ...kinds] = new TextDecoder().decode(stdout).trim().split("\n");
        assert.equal(Number(rows), (await csv("--what", what)).length);
        assert.ok(
          kinds.length > 0 && kinds.every((kind) => kind === "datetime64[ms, UTC]"),
          `${kinds}`,
        );
      },
    });
  }
  await t.step("flags that only candles have are refused", async () => {
    for (
      const args of [["--final-only"], ["--provisional"], ["--source", "merged"], [
        ...["--numbers", "exact", "-o", `${folder}/x.parquet`],
      ]]
    ) {
      const { code, stderr } = await runInProcess(["export", "--what", "gaps", ...args], env);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^error: --[\w -]+ is only for candles; leave it out, or --what gaps/);
    }
  });
}

/** A row of Parquet as CSV has it. */
function textsOf(row: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value === null
        ? ""
        : value instanceof Date
        ? value.toISOString().replace(".000Z", "Z")
        : String(value),
    ]),
  );
}

/** A row of CSV with its decimals as doubles. */
function numbersOf(row: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(row).map((
      [name, text],
    ) => [name, /^-?\d+\.\d+$/.test(text) ? String(Number(text)) : text]),
  );
}
