/** `/candles.csv` and `/candles.parquet` hold what `titan10 export` writes, and a file that was cut off is noticed. @module */
import assert from "node:assert/strict";
import { parquetReadObjects } from "hyparquet";
import { candleTable } from "../../lib/store/candle_table.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { runInProcess } from "../support/shell.ts";
import { type RichArchive, serveRichArchive } from "../support/rich_archive.ts";

const MINUTES = "exchange=binance&symbol=BTC/USDT&timeframe=1m";
const PYTHON = Deno.env.get("TITAN10_PYTHON") ?? "";

Deno.test("candles are given as files", async (t) => {
  const archive = await serveRichArchive({
    exchanges: ["binance"],
    symbols: ["BTC/USDT"],
    timeframes: ["1m"],
  });
  assert(archive);
  try {
    for (const [name, test] of Object.entries(TESTS)) await t.step(name, () => test(archive));
    await t.step({
      name: `pandas reads both from the address${PYTHON === "" ? " (needs TITAN10_PYTHON)" : ""}`,
      ignore: PYTHON === "",
      fn: () => readWithPandas(archive),
    });
  } finally {
    await archive.close();
  }
});

const TESTS: Readonly<Record<string, (archive: RichArchive) => Promise<void>>> = {
  "CSV and Parquet hold the same candles, those that export writes": async (archive) => {
    const csv = await ask(archive, `/candles.csv?${MINUTES}`);
    assert.equal(csv.status, 200);
    assert.equal(csv.headers.get("content-type"), "text/csv; charset=utf-8");
    assert.equal(
      csv.headers.get("content-disposition"),
      'attachment; filename="binance-BTC_USDT-1m.csv"',
    );
    const text = await csv.text();
    const lines = text.trimEnd().split("\n");
    assert.ok(lines.length > 9_000, `${lines.length}`);
    if (archive.databaseUrl !== undefined) {
      const args = ["--exchange", "binance", "--symbol", "BTC/USDT", "--timeframe", "1m"];
      const exported = await runInProcess(["export", ...args], {
        DATABASE_URL: archive.databaseUrl,
      });
      assert.equal(text.trimEnd(), exported.stdout);
    }
    const parquet = await ask(archive, `/candles.parquet?${MINUTES}`);
    assert.equal(parquet.headers.get("content-type"), "application/vnd.apache.parquet");
    const rows = await parquetReadObjects({ file: await parquet.arrayBuffer() });
    const read = (rows as Record<string, unknown>[]).map((row) =>
      `${(row["time"] as Date).toISOString()} ${row["close"]} ${row["volume"]}`
    );
    const wanted = lines.slice(1).map((line) => {
      const [, , , time, , , , close, volume] = line.split(",");
      return `${new Date(time!).toISOString()} ${Number(close)} ${Number(volume)}`;
    });
    assert.deepEqual(read, wanted);
  },

  "a range is half-open, rollups are files, too, and an empty one has its head": async (
    archive,
  ) => {
    const [row] = await archive.database.sql<{ last: Date }[]>`
      select last from checkpoints where timeframe = '1m'`;
    const at = (minutes: number): string =>
      new Date(row!.last.getTime() + minutes * 60_000).toISOString().replace(".000Z", "Z");
    const times = async (range: string): Promise<readonly string[]> => {
      const lines = await (await ask(archive, `/candles.csv?${MINUTES}${range}`)).text();
      const [head, ...rest] = lines.trimEnd().split("\n");
      assert.match(
        head!,
        /^exchange,symbol,timeframe,time,open,high,low,close,volume,volume_base$/,
      );
      return rest.map((line) => line.split(",")[3]!);
    };
    assert.deepEqual(await times(`&since=${at(-2)}&until=${at(0)}`), [at(-2), at(-1)]);
    assert.deepEqual(await times(`&since=${at(60)}`), []);
    const { timeframes } = await (await ask(archive, `/candles?${MINUTES}`)).json();
    const rollup = timeframes.find(({ rolledUpFrom }: { rolledUpFrom: string | null }) =>
      rolledUpFrom === "1m"
    );
    assert.ok(rollup, JSON.stringify(timeframes));
    const asked = MINUTES.replace("1m", rollup.timeframe);
    const lines = (await (await ask(archive, `/candles.csv?${asked}`)).text()).trimEnd().split(
      "\n",
    );
    assert.ok(lines.length > 2);
    assert.match(lines[1]!, new RegExp(`^binance,BTC/USDT,${rollup.timeframe},`));
  },

  "provisional candles are in it when asked for, and marked": async (archive) => {
    const [row] = await archive.database.sql<{ last: Date }[]>`
      update checkpoints set streamed = tstzmultirange(tstzrange(last, last + interval '1 minute')),
        unsettled = unsettled + tstzmultirange(tstzrange(last, last + interval '1 minute'))
      where timeframe = '1m' returning last`;
    const since = `&since=${new Date(row!.last.getTime() - 60_000).toISOString()}`;
    const linesOf = async (more: string): Promise<readonly string[]> => {
      const text = await (await ask(archive, `/candles.csv?${MINUTES}${since}${more}`)).text();
      return text.trimEnd().split("\n").slice(1).map((line) => line.split(",").slice(10).join());
    };
    assert.deepEqual(await linesOf(""), [""]);
    assert.deepEqual(await linesOf("&provisional=true"), ["false", "true"]);
  },

  "what cannot be answered has a status and says why": async (archive) => {
    const cases = [
      ["/candles.csv", 400, /parameter exchange is missing/],
      [`/candles.csv?${MINUTES}&limit=5`, 400, /Cannot use the parameter \\"limit\\"/],
      [`/candles.parquet?${MINUTES}&since=yesterday`, 400, /Cannot read since/],
      [`/candles.csv?${MINUTES}&provisional=yes`, 400, /expected true or false/],
      [`/candles.csv?${MINUTES.replace("BTC", "BTX")}`, 404, /did you mean BTC\/USDT/],
      [`/candles.parquet?${MINUTES.replace("1m", "7m")}`, 404, /not archived in 7m/],
    ] as const;
    for (const [path, status, text] of cases) {
      const answer = await ask(archive, path);
      const body = await answer.text();
      assert.equal(answer.status, status, `${path}: ${body}`);
      assert.match(body, text);
    }
    await archive.database.sql`
      insert into checkpoints (exchange, symbol, timeframe) values ('binance', 'NEW/USDT', '1m')`;
    const none = await ask(archive, `/candles.csv?${MINUTES.replace("BTC", "NEW")}`);
    assert.equal(none.status, 404);
    assert.match(await none.text(), /Nothing is archived of the symbol NEW\/USDT/);
  },

  "HEAD has no body, and HTTP/1.0 is refused: it could not tell a cut from an end": async (
    archive,
  ) => {
    const head = await fetch(new URL(`/candles.csv?${MINUTES}`, archive.server.url), {
      method: "HEAD",
    });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const old = await raw(archive, `GET /candles.csv?${MINUTES} HTTP/1.0\r\n\r\n`);
    assert.match(old, /^HTTP\/1\.1 505 .*Ask for files with HTTP\/1\.1 /s);
    const chunked = await raw(
      archive,
      `GET /candles.csv?${MINUTES}&since=2099-01-01 HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`,
    );
    assert.match(chunked, /\r\ntransfer-encoding: chunked\r\n/);
    assert.match(chunked, /\r\n\r\n[0-9a-f]+\r\nexchange,.*\n\r\n0\r\n\r\n$/s);
    assert.doesNotMatch(chunked, /content-length/);
  },

  "a file whose reading fails in the midst of it is cut off, and its reader is told": async (
    archive,
  ) => {
    const table = candleTable(parseTimeframe("1m"));
    // Many pages, more than connections hold: the last are read only when the reader has taken the first.
    await archive.database.sql.unsafe(`
      insert into ${table}
      select time - n * interval '10 days', exchange, symbol, open, high, low, close, volume
      from ${table}, generate_series(1, 30) as n where exchange = 'binance' and symbol = 'BTC/USDT'`);
    await archive.database.sql`
      update checkpoints set first = first - interval '300 days', candles = candles * 31 where first is not null`;
    const answer = await ask(archive, `/candles.csv?${MINUTES}`);
    assert.equal(answer.status, 200);
    await archive.database.sql.unsafe(`alter table ${table} rename to hidden`);
    try {
      await assert.rejects(answer.text());
    } finally {
      await archive.database.sql.unsafe(`alter table hidden rename to ${table}`);
    }
    const whole = (await (await ask(archive, `/candles.csv?${MINUTES}`)).text()).split("\n");
    assert.ok(whole.length > 250_000);
  },
};

async function ask({ server }: RichArchive, path: string): Promise<Response> {
  return await fetch(new URL(path, server.url));
}

async function raw({ server }: RichArchive, request: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(request));
  return await new Response(connection.readable).text();
}

async function readWithPandas({ server }: RichArchive): Promise<void> {
  const program = `
import pandas, sys
csv = pandas.read_csv(sys.argv[1] + "/candles.csv?${MINUTES}", parse_dates=["time"])
parquet = pandas.read_parquet(sys.argv[1] + "/candles.parquet?${MINUTES}")
assert len(csv) == len(parquet) > 9000
assert (csv.close == parquet.close).all() and (csv.time == parquet.time).all()`;
  const { code, stderr } = await new Deno.Command(PYTHON, {
    args: ["-c", program, server.url],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
}
