/** `titan10 export`: what is written is what is stored. @module */
import assert from "node:assert/strict";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { withArchivePlace } from "../support/archive_place.ts";
import { type Seed, seed } from "../support/seeded.ts";
import { type CommandResult, runInProcess } from "../support/shell.ts";

const SEEDS: readonly Seed[] = [
  ["binance", "BTC/USDT", "1h", "2024-01-01T00:00:00Z", 25_000],
  ["kraken", "BTC/USDT", "1h", "2024-01-01T02:00:00Z", 3],
  ["kraken", "ETH/USDT", "1M", "2024-01-01T00:00:00Z", 2],
].map(([exchange, symbol, timeframe, since, candles]) =>
  ({ exchange, symbol, timeframe, since, candles }) as Seed
);

for (const kind of ["embedded", "postgres"] as const) {
  Deno.test(`candles are exported from a database that is ${kind}`, (t) =>
    withArchivePlace(t, kind, async ({ folder, env, withDatabase }) => {
      await withDatabase(async (database) => {
        await seed(database, SEEDS);
        await database
          .sql`update ohlcv_1h set volume = 12345678901234567890123 where exchange = 'kraken'
          and time = '2024-01-01 02:00Z'`;
        // The newest came over a stream, the one before it by a poll right after its close.
        await database.sql`
          update checkpoints set unsettled = '{[2024-01-01 03:00Z, 2024-01-01 05:00Z)}',
                                 streamed = '{[2024-01-01 04:00Z, 2024-01-01 05:00Z)}'
          where exchange = 'kraken' and timeframe = '1h'`;
      });
      const exported = (...args: string[]): Promise<CommandResult> =>
        runInProcess(["export", ...args], env);
      await steps(t, { folder, exported });
    }));
}

async function steps(
  t: Deno.TestContext,
  { folder, exported }: {
    readonly folder: string;
    readonly exported: (...args: string[]) => Promise<CommandResult>;
  },
): Promise<void> {
  await t.step("CSV has every digit, the range is half-open, and names are chosen", async () => {
    const { code, stdout } = await exported(
      ...["--exchange", "kraken", "--timeframe", "1h", "--until", "2024-01-01T04:00Z"],
    );
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `exchange,symbol,timeframe,time,open,high,low,close,volume,volume_base
kraken,BTC/USDT,1h,2024-01-01T02:00:00Z,40000.00,41000.5,0.0000000001,40000.00,12345678901234567890123,12345678901234567890123
kraken,BTC/USDT,1h,2024-01-01T03:00:00Z,40000.01,41000.5,0.0000000001,40000.01,0.00012345678901,0.00012345678901`,
    );
  });
  await t.step(
    "--final-only leaves out what may still change, of each exchange's candles",
    async () => {
      const args = ["--exchange", "kraken", "--timeframe", "1h"];
      const timesOf = async (...more: string[]): Promise<readonly string[]> =>
        (await exported(...args, ...more)).stdout.split("\n").slice(1).map((line) =>
          line.split(",")[3]!.slice(11, 16)
        );
      assert.deepEqual(await timesOf("--provisional"), ["02:00", "03:00", "04:00"]);
      assert.deepEqual(await timesOf(), ["02:00", "03:00"]);
      assert.deepEqual(await timesOf("--final-only"), ["02:00"]);
      const merging = ["--source", "merged", "--exchange", "kraken,binance", ...UNTIL_FIVE];
      const sourcesOf = async (...more: string[]): Promise<readonly string[]> =>
        (await exported(...merging, ...more)).stdout.split("\n").slice(3).map((line) =>
          line.split(",")[9]!
        );
      assert.deepEqual(await sourcesOf("--provisional"), ["kraken", "kraken", "kraken"]);
      assert.deepEqual(await sourcesOf(), ["kraken", "kraken"]);
      // Before they are merged: another exchange's candle is taken.
      assert.deepEqual(await sourcesOf("--final-only"), ["kraken", "binance", "binance"]);
    },
  );
  await t.step(
    "--provisional says in a last column which candles no answer confirmed",
    async () => {
      const marksOf = async (...args: string[]): Promise<readonly string[]> =>
        (await exported("--provisional", ...UNTIL_FIVE, ...args)).stdout.split("\n").map((
          line,
        ) => line.split(",").slice(10).join());
      const own = await marksOf("--exchange", "kraken");
      assert.deepEqual(own, ["provisional", "false", "false", "true"]);
      // As it was called before.
      assert.equal(
        (await exported("--mark-provisional", "--exchange", "kraken")).stdout,
        (await exported("--provisional", "--exchange", "kraken")).stdout,
      );
      const merged = [
        "--source",
        "merged",
        "--exchange",
        "kraken,binance",
        "--since",
        "2024-01-01T03:00Z",
      ];
      assert.deepEqual(await marksOf(...merged), ["provisional", "false", "true"]);
      const path = `${folder}/marked.parquet`;
      for (const [source, head] of [["exchange", "exchange"], ["merged", "symbol"]] as const) {
        const args = [
          "--exchange",
          "kraken",
          "--source",
          source,
          "--provisional",
          ...UNTIL_FIVE,
        ];
        assert.equal((await exported("-o", path, ...args)).code, 0);
        const rows = await parquetReadObjects({
          file: (await Deno.readFile(path)).buffer,
        }) as object[];
        const names = Object.keys(rows[0]!);
        assert.deepEqual([names[0], names.at(-1)], [head, "provisional"]);
        assert.deepEqual(rows.map((row) => Object.values(row).at(-1)), [false, false, true]);
      }
    },
  );
  await t.step("several pages make one whole, each candle once and in order", async () => {
    const { stdout } = await exported("--exchange", "binance");
    const times = stdout.split("\n").slice(1).map((line) => line.split(",")[3]!);
    assert.equal(times.length, 25_000);
    const first = Date.parse("2024-01-01T00:00:00Z");
    assert.ok(times.every((time, n) => Date.parse(time) === first + n * 3_600_000));
  });
  for (const numbers of ["double", "exact"]) {
    await t.step(`Parquet with --numbers ${numbers} holds what CSV holds`, async () => {
      const path = `${folder}/candles.parquet`;
      const args = ["--exchange", "binance,kraken", "--since", "2024-01-01T03:00Z"];
      const { code, stderr } = await exported("-o", path, "--numbers", numbers, ...args);
      assert.deepEqual([code, stderr], [0, "24,999 candles of 3 series in " + path]);
      const csv = (await exported(...args)).stdout.split("\n").slice(1);
      const file = (await Deno.readFile(path)).buffer;
      const metadata = parquetMetadata(file);
      const declared = metadata.schema.find(({ name }) => name === "open");
      const { logical_type, converted_type } = declared ?? {};
      const wantedType = numbers === "exact" ? "DECIMAL" : undefined;
      // Half of the readers know one of them only.
      assert.deepEqual([logical_type?.type, converted_type], [wantedType, wantedType]);
      // As bytes: hyparquet would make doubles of them.
      const plain = metadata.schema.map((element) =>
        element.converted_type === "DECIMAL" ? { ...element, converted_type: undefined } : element
      );
      const read = { file, metadata: { ...metadata, schema: plain } } as { file: ArrayBuffer };
      const rows = await parquetReadObjects(read) as Record<string, unknown>[];
      assert.equal(rows.length, csv.length);
      for (const [i, row] of rows.entries()) {
        const { exchange, symbol, timeframe, time, ...values } = row;
        const [wantedExchange, wantedSymbol, wantedTimeframe, wantedTime, ...wanted] = csv[i]!
          .split(",");
        assert.deepEqual([exchange, symbol, timeframe], [
          wantedExchange,
          wantedSymbol,
          wantedTimeframe,
        ]);
        assert.equal((time as Date).getTime(), Date.parse(wantedTime!));
        if (numbers === "double") {
          assert.deepEqual(Object.values(values), wanted.map(Number));
        } else {
          assert.deepEqual(Object.values(values).map(units), wanted.map(unitsOf));
        }
      }
    });
  }
  await t.step("a value that DECIMAL(38, 18) cannot hold ends an exact export", async () => {
    const path = `${folder}/failed.parquet`;
    const result = await exported("-o", path, "--numbers", "exact", "--exchange", "kraken");
    assert.equal(result.code, 1);
    assert.match(
      result.stderr,
      /^Cannot write 12345678901234567890123 of kraken BTC\/USDT 1h at 2024-01-01T02:00:00Z exactly.*--numbers double/,
    );
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(left.filter((name) => name.includes("failed")), []);
  });
  await t.step("merged candles are those of ohlcv_merged over the whole range", async () => {
    const { stdout } = await exported(
      ...["--source", "merged", "--timeframe", "1h", "--until", "2024-01-01T04:00Z"],
    );
    assert.deepEqual(stdout.split("\n").map((line) => line.split(",").slice(2)), [
      ["time", "open", "high", "low", "close", "volume", "volume_base", "sources"],
      ..."00 01 02 03".split(" ").map((hour, n) => [
        `2024-01-01T${hour}:00:00Z`,
        n < 2 ? `40000.0${n}` : `40000.0${n - 2}`,
        "41000.5",
        "0.0000000001",
        n < 2 ? `40000.0${n}` : `40000.0${n - 2}`,
        ...Array(2).fill(
          n === 0 ? "0.00000000000000" : n === 2 ? "12345678901234567890123" : "0.00012345678901",
        ),
        n < 2 ? "binance" : "kraken",
      ]),
    ]);
    const preferred = await exported(
      ...["--source", "merged", "--exchange", "binance,kraken", "--timeframe", "1h"],
    );
    assert.equal(preferred.stdout.split("\n").length, 25_001);
    assert.doesNotMatch(preferred.stdout, /kraken/);
  });
  await t.step("what is not there is named, and what cannot be meant ends with 2", async () => {
    const lacking = await exported("--symbol", "DOGE/USDT", "--timeframe", "5m");
    assert.equal(lacking.code, 1);
    assert.match(lacking.stderr, /^Cannot export. Nothing is archived of the symbol DOGE\/USDT\. /);
    assert.match(lacking.stderr, /^Nothing is archived of the timeframe 5m. Archived: .*1h/m);
    for (const args of [["--since", "yesterday"], ["--numbers", "exact"], ["--format", "xls"]]) {
      assert.equal((await exported(...args)).code, 2, args.join(" "));
    }
  });
}

const UNTIL_FIVE = ["--timeframe", "1h", "--until", "2024-01-01T05:00Z"];

/** A decimal as Parquet keeps it: big-endian, in units of 10^-18. */
function units(bytes: unknown): bigint {
  const { buffer, byteOffset } = bytes as Uint8Array;
  const view = new DataView(buffer, byteOffset, 16);
  return (view.getBigInt64(0) << 64n) + view.getBigUint64(8);
}

function unitsOf(text: string): bigint {
  const [whole, fraction = ""] = text.split(".");
  return BigInt(whole + fraction.padEnd(18, "0"));
}
