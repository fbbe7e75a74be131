/** Candles in whatever container people keep them: what is stored is what the container holds, or nothing. @module */
import assert from "node:assert/strict";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { candles, type FileCandle, M, PLAIN, plain, text, utf16 } from "../support/file_candles.ts";
import { type FileCase, importAll } from "../support/file_cases.ts";
import { unzipFixture, zip } from "../support/zip_files.ts";

const BTC = ["kraken", "BTC/USD", "1m"];
const CSV = text(PLAIN, ...M.map(plain));
const bytes = (content: string): Uint8Array => new TextEncoder().encode(content);
const joined = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

/** Values as a file of doubles has them. */
const doubles = ({ t, ...values }: FileCandle): FileCandle => ({
  ...Object.fromEntries(Object.entries(values).map(([name, value]) => [name, `${Number(value)}`])),
  t,
} as FileCandle);

function decimals(count: number): (row: FileCandle) => FileCandle {
  return ({ t, q, ...values }) => ({
    ...Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, Number(value).toFixed(count)]),
    ),
    t,
    q,
  } as FileCandle);
}

const TYPED = candles(20);

/** What is stored of a file of typed columns, where it is not the doubles. */
const TYPED_ROWS: Readonly<Record<string, readonly FileCandle[]>> = {
  "arrow decimal.parquet": TYPED.map(decimals(10)),
  "arrow decimal.feather": TYPED.map(decimals(10)),
  "arrow short decimal.parquet": TYPED.map(decimals(4)),
  "a row of nulls.parquet": TYPED.map(doubles).toSpliced(5, 1),
  "a row of nulls.feather": TYPED.map(doubles).toSpliced(5, 1),
  "days.parquet": candles(20, 86_400_000).map(doubles),
  "days.feather": candles(20, 86_400_000).map(doubles),
};

const TYPED_REFUSALS: Readonly<Record<string, RegExp>> = {
  "arrow version 1.feather": /it is a Feather file of version 1: save it in version 2/,
  "nested.feather": /its column "extra" has values that are not numbers or texts: leave it out/,
  "nested.parquet": /its column "extra" has lists or objects, not numbers or texts: leave it out/,
};

Deno.test("files of typed columns are stored as their writers meant them", async (t) => {
  const files = await unzipFixture("typed_tables.zip");
  assert.ok(files.size > 50);
  const cases = [...files].map(([name, file]): FileCase => ({
    name,
    file,
    as: name.startsWith("days") ? ["kraken", "BTC/USD", "1d"] : BTC,
    ...(TYPED_REFUSALS[name] === undefined
      ? { stored: TYPED_ROWS[name] ?? TYPED.map(doubles) }
      : { refused: TYPED_REFUSALS[name] }),
  }));
  await importAll(t, cases);
});

/** A candle that there is not. */
const NAN = `{"timestamp": ${M[59]!.t + 60_000}, "open": NaN, "high": NaN, "low": NaN, "close": NaN,
  "volume": NaN}`;

const JSON_FILES: readonly FileCase[] = ([
  ["lists of numbers", `[${M.map((row) => `[${plain(row)}]`).join(", ")}]`],
  [
    "lists of texts",
    JSON.stringify(M.map(({ t, o, h, l, c, v }) => [`${t}`, o, h, l, c, v]), null, 2),
  ],
  ["objects", JSON.stringify(M.map(object), null, 2)],
  ["objects whose names come in another order", JSON.stringify(M.map(turned))],
  ["one object a line", text(...M.map((row) => JSON.stringify(object(row))))],
  ["one list a line", text(...M.map((row) => `[${plain(row)}]`))],
  [
    "an exchange's answer",
    JSON.stringify({
      retCode: 0,
      retMsg: "OK",
      result: { symbol: "BTCUSD", list: M.map(({ t, o, h, l, c, v }) => [t, o, h, l, c, v]) },
      time: 1,
    }),
  ],
  ["Kraken's answer", `{"error":[],"result":{"XXBTZUSD":[${rows()}],"last":1}}`],
  ["JSON in gzip", gzipSync(`[${rows()}]`)],
  ["JSON in UTF-16", utf16(`[${rows()}]`)],
  ["NaN as Python writes it", `[${M.map((row) => JSON.stringify(object(row)))},${NAN}]`],
] as const).map(([name, file]) => ({
  name,
  file: typeof file === "string" ? file : new Uint8Array(file),
  as: BTC,
  stored: M,
}));

function rows(): string {
  return M.map((row) => `[${plain(row)}]`).join(",");
}

function object({ t, o, h, l, c, v }: FileCandle): Record<string, unknown> {
  return { timestamp: t, open: o, high: h, low: l, close: c, volume: v };
}

function turned(row: FileCandle, at: number): Record<string, unknown> {
  return at % 2 === 0 ? object(row) : Object.fromEntries(Object.entries(object(row)).reverse());
}

const LONG = "1234567890123456.123456789012345678";
const REFUSED_JSON: readonly FileCase[] = ([
  [
    "an exchange's error",
    '{"code":-1121,"msg":"Invalid symbol."}',
    /an error that an exchange answered, not candles: -1121, Invalid symbol\.$/m,
  ],
  [
    "an error of several lines",
    '{\n"error": ["EQuery:Unknown\\u001b[31m asset pair"]\n}',
    /exchange answered, not candles: EQuery:Unknown\\x1b\[31m asset pair$/m,
  ],
  ["an empty answer", '{"code":"0","msg":"","data":[]}', /it is JSON without a list of rows/],
  ["columns", '{"s":"ok","t":[1,2],"o":[1,2],"c":[1,2]}', /a list for each column: save it as CSV/],
  ["two lists of rows", `{"a":[${rows()}],"b":[${rows()}]}`, /several lists of rows, a and b/],
  ["lists in rows", '[{"t":1,"candle":[1,2]}]', /row 1: its \\?"candle\\?" is a list or an object/],
  [
    "a list among objects",
    '[{"time":1},[1,2,3,4,5,6]]',
    /row 2: it is a list where others are obj/,
  ],
  [
    "a name that only one row has",
    '[{"time":1},{"time":2,"x":3}]',
    /row 2: it has \\?"x\\?", which/,
  ],
  ["two values of one name", '[{"time":1,"time":2}]', /row 1: it has two values of one name/],
  ["two files in one", `[${rows()}]\n[${rows()}]`, /more follows after the end of its JSON/],
  ["a list that was cut", `[${rows()}`, /it ends in the middle: the file was cut/],
  ["a line that was cut", `[${plain(M[0]!)}]\n[${plain(M[1]!)}`, /it ends in the middle/],
  ["no JSON", "[[1,2,3],[1,2,x]]", /row 2: it is not valid JSON/],
  ["nothing but depth", "[".repeat(100_000), /it is nested too deeply/],
  ["a value without end", `["${"9".repeat(200_000)}`, /a value that is too long for a candle/],
] as const).map(([name, file, refused]) => ({ name, file, as: BTC, refused }));

Deno.test("JSON is stored with every digit, or refused with nothing stored", async (t) => {
  const exact = M.map((row) => ({ ...row, v: LONG }));
  await importAll(t, [
    ...JSON_FILES,
    ...REFUSED_JSON,
    {
      name: "an exchange's answer for another symbol",
      file: `{"result":{"list":[${rows()}],"symbol":"ETHUSD"}}`,
      as: BTC,
      refused: /the file holds ETHUSD, which is another series/,
    },
    {
      name: "more digits than a double has",
      file: `[${exact.map((row) => `[${plain(row)}]`).join(",")}]`,
      as: BTC,
      stored: exact,
    },
  ]);
});

const TEXTS: readonly FileCase[] = ([
  ["line ends of an old Mac", CSV.replaceAll("\n", "\r")],
  ["an old Mac's, without the last one", CSV.replaceAll("\n", "\r").slice(0, -1)],
  ["an old Mac's, cut in the last value", CSV.replaceAll("\n", "\r").slice(0, -2), 59],
  ["two carriage returns and a line feed", CSV.replaceAll("\n", "\r\r\n")],
  ["lines that end in both ways", CSV.replaceAll(/0\n/g, "0\r")],
  ["UTF-16 without its mark", utf16(CSV).slice(2)],
  ["UTF-16, the high byte first", utf16(CSV).map((_, at, all) => all[at ^ 1]!)],
  ["zstd", zstdCompressSync(CSV)],
  [
    "zstd of two frames and one to skip",
    joined(
      zstdCompressSync(CSV.slice(0, 700)),
      Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3),
      zstdCompressSync(CSV.slice(700)),
    ),
  ],
  ["zstd in gzip", gzipSync(zstdCompressSync(CSV))],
  ["gzip without the last line end", gzipSync(CSV.slice(0, -1))],
  ["gzip that was cut between its members, in a value", gzipSync(CSV.slice(0, -2)), 59],
] as const).map(([name, file, count = 60]) => ({
  name,
  file: typeof file === "string" ? file : new Uint8Array(file),
  as: BTC,
  stored: M.slice(0, count),
}));

const REFUSED_TEXTS: readonly FileCase[] = ([
  [
    "zstd that was cut",
    new Uint8Array(zstdCompressSync(CSV)).slice(0, -1),
    /unexpected end of file/,
  ],
  ["zstd with more behind it", joined(zstdCompressSync(CSV), bytes("more")), /is not zstd/],
  ["zero bytes at the end", CSV + "\0".repeat(64), /it has zero bytes: the file was not written/],
  ["a form feed", CSV.replace("\n", "\n\f"), /line 2 of .*it has control characters/],
  ["Parquet in gzip", gzipSync("PAR1"), /it is a Parquet file, packed once more: unpack it first/],
  [
    "gzip in gzip in gzip in gzip",
    [1, 2, 3, 4].reduce((all) => gzipSync(all), bytes(CSV)),
    /packed several times over/,
  ],
] as const).map(([name, file, refused]) => ({
  name,
  file: typeof file === "string" ? file : new Uint8Array(file),
  as: BTC,
  refused,
}));

Deno.test("text is read whatever ends its lines, writes its letters and packs it", async (t) => {
  await importAll(t, [...TEXTS, ...REFUSED_TEXTS]);
});

Deno.test("what a ZIP archive holds is stored, whatever lies beside it", async (t) => {
  const typed = await unzipFixture("typed_tables.zip");
  const inner = await zip([{ name: "candles.csv", content: CSV }]);
  const halves = [CSV.slice(0, CSV.indexOf(plain(M[30]!))), text(PLAIN, ...M.slice(30).map(plain))];
  const stored = { as: BTC, stored: M };
  const refused = (refused: RegExp): Pick<FileCase, "as" | "refused"> => ({ as: BTC, refused });
  const one = (options: Parameters<typeof zip>[1]): Promise<Uint8Array> =>
    zip([{ name: "candles.csv", content: CSV }], options);
  const damaged = await one({ level: 0 });
  damaged[200]! ^= 1;
  await importAll(t, [
    { name: "one member", file: await one({}), ...stored },
    { name: "stored, not packed", file: await one({ level: 0 }), ...stored },
    { name: "sizes behind the data", file: await one({ dataDescriptor: true }), ...stored },
    { name: "ZIP64", file: await one({ zip64: true }), ...stored },
    {
      name: "several members, in folders",
      file: await zip([
        { name: "data/../../first.csv", content: halves[0]! },
        { name: "__MACOSX/._first.csv", content: Uint8Array.of(0, 5, 22, 7, 0, 2, 0, 0) },
        { name: "data/.DS_Store", content: Uint8Array.of(0, 0, 0, 1, 66, 117, 100, 49, 0) },
        { name: "data/first.csv.CHECKSUM", content: `${"ab".repeat(32)}  first.csv\n` },
        {
          name: "README.txt",
          content: "Candles.\nColumns: time, open, high, low, close, volume\n\n",
        },
        { name: "empty.csv", content: "" },
        { name: "data/second.csv", content: halves[1]! },
      ]),
      ...stored,
    },
    {
      name: "an archive in an archive",
      file: await zip([{ name: "a.zip", content: inner }]),
      ...stored,
    },
    {
      name: "gzip in an archive",
      file: await zip([{ name: "a.csv", content: gzipSync(CSV) }]),
      ...stored,
    },
    {
      name: "Parquet in an archive",
      file: await zip([{ name: "a", content: typed.get("pandas utc.parquet")! }]),
      as: BTC,
      stored: TYPED.map(doubles),
    },
    {
      name: "archives without end",
      file: await zip([{ name: "a.zip", content: await zip([{ name: "b.zip", content: inner }]) }]),
      ...refused(/it is an archive within archives: unpack it first/),
    },
    {
      name: "an encrypted member",
      file: await one({ password: "secret" }),
      ...refused(/candles\.csv in .*it is encrypted: unpack it with its password first/),
    },
    {
      name: "a member whose checksum is wrong",
      file: damaged,
      ...refused(/candles\.csv in .*its checksum is wrong: the archive is damaged\. Download it/),
    },
    {
      name: "an archive that was cut",
      file: (await one({})).slice(0, -30),
      ...refused(/a ZIP archive whose end is missing or damaged: the file was cut\. Download/),
    },
    {
      name: "a workbook",
      file: await zip([{ name: "[Content_Types].xml", content: "<Types/>" }]),
      ...refused(/it is an Excel workbook \(\.xlsx\): save it as CSV first$/m),
    },
    {
      name: "no table at all",
      file: await zip([{ name: "README", content: "Nothing." }]),
      ...refused(/it is a ZIP archive without a table/),
    },
    {
      name: "a name with control bytes",
      file: await zip([{ name: "\x1b[31mred.csv", content: "no table, but, some, lines, here" }]),
      ...refused(/\\x1b\[31mred\.csv in /),
    },
  ]);
});
