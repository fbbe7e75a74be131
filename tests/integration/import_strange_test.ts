/** Files as spreadsheets, R, pandas and databases write them by default: read, or refused with the option that reads them. @module */
import {
  candles,
  clock,
  D,
  day,
  type FileCandle,
  M,
  MINUTE_MS,
  PLAIN,
  plain,
  text,
} from "../support/file_candles.ts";
import { type FileCase, importAll } from "../support/file_cases.ts";

const BTC = ["kraken", "BTC/USD", "1m"];
const DAYS = ["kraken", "BTC/USD", "1d"];
const HOURS = ["kraken", "BTC/USD", "1h"];
const values = ({ o, h, l, c, v }: FileCandle): string => [o, h, l, c, v].join();

const at = (timesMs: readonly number[]): string =>
  text(PLAIN, ...candles(timesMs.length).map((row, n) => plain({ ...row, t: timesMs[n]! })));
const times = (count: number, timeMs: (n: number) => number): readonly number[] =>
  Array.from({ length: count }, (_, n) => timeMs(n));
const SPARSE = [0, 3, 10, 29, 40].map((n) => M[n]!);

const APART: readonly FileCase[] = ([
  ["months", DAYS, at(times(24, (n) => Date.UTC(2022, n, 1))), "28 d", "1d"],
  ["the last days of months", DAYS, at(times(24, (n) => Date.UTC(2022, n + 1, 0))), "28 d", "1d"],
  ["three months", DAYS, at(times(3, (n) => Date.UTC(2022, n, 1))), "28 d", "1d"],
  ["quarters", DAYS, at(times(16, (n) => Date.UTC(2018, 3 * n, 1))), "90 d", "1d"],
  ["years", DAYS, at(times(8, (n) => Date.UTC(2015 + n, 0, 1))), "365 d", "1d"],
  [
    "days of New York, in a month in which clocks change",
    HOURS,
    at(times(20, (n) => Date.UTC(2024, 2, n + 1, n < 10 ? 5 : 4))),
    "23 h",
    "1h",
  ],
] as const).map(([name, as, file, distance, timeframe]) => ({
  name: `${name} are not ${timeframe}`,
  file,
  as,
  refused: new RegExp(
    `its rows are at least ${distance} apart: the file's timeframe does not seem to be ${timeframe}\\.`,
  ),
}));

Deno.test("candles of months or of days with changing clocks are none of a shorter timeframe", async (t) => {
  await importAll(t, [
    ...APART,
    {
      name: "a day written behind its month and read before it",
      file: text(
        PLAIN,
        ...D.slice(0, 12).map((row) =>
          `${day(row.t).replace(/(\d+)-(\d+)-(\d+)/, "$2/$3/$1")},${values(row)}`
        ),
      ),
      as: [...DAYS, "--time-format", "%d/%m/%Y"],
      refused: /its rows are at least 29 d apart/,
    },
    {
      name: "few candles of a market with little trade",
      file: text(PLAIN, ...SPARSE.map(plain)),
      as: BTC,
      stored: SPARSE,
    },
  ]);
});

const NUMBERED = text(",0,1,2,3,4,5", ...M.map((row, n) => `${n},${plain(row)}`));
const ONE_MORE = text(PLAIN, ...M.map((row, n) => `"${n + 1}",${plain(row)}`));
const SPACES = text(
  '"time" "open" "high" "low" "close" "volume"',
  ...M.map((row) => `"${day(row.t)} ${clock(row.t)}:00" ${values(row).replaceAll(",", " ")}`),
);
const COLUMNS = ["--columns", `-,${PLAIN}`];

const HEADS: readonly FileCase[] = [
  {
    name: "columns that pandas numbers",
    file: text("0,1,2,3,4,5", ...M.map(plain)),
    as: BTC,
    stored: M,
  },
  { name: "behind its index", file: NUMBERED, as: BTC, refused: /Name them with --columns/ },
  { name: "behind its index, named", file: NUMBERED, as: [...BTC, ...COLUMNS], stored: M },
  {
    name: "R's numbers of rows, of which the head says nothing",
    file: ONE_MORE,
    as: BTC,
    refused:
      /line 2 of .*: it has 7 fields, 6 are expected, as line 1 names them\. .*--skip-lines 1, and name all/,
  },
  {
    name: "the same, named",
    file: ONE_MORE,
    as: [...BTC, ...COLUMNS],
    refused: /--columns names 7 columns, line 1 has 6\. .*--skip-lines 1$/m,
  },
  {
    name: "the same, named and the head left out",
    file: ONE_MORE,
    as: [...BTC, ...COLUMNS, "--skip-lines", "1"],
    stored: M,
  },
  {
    name: "spaces between columns and, in quotation marks, within them",
    file: SPACES,
    as: [...BTC, "--delimiter", " "],
    stored: M,
  },
  ...["sep=;", '"sep=;"', "\uFEFFsep=;"].map((line) => ({
    name: `${line} of Excel before the head`,
    file: text(
      line,
      PLAIN.replaceAll(",", ";"),
      ...M.map((row) => plain(row).replaceAll(",", ";")),
    ),
    as: BTC,
    stored: M,
  })),
  {
    name: "a note behind the rows",
    file: text(PLAIN, ...M.map(plain), "Source: example.com"),
    as: BTC,
    refused: /line 62 of .*: it has 1 fields, 6 are expected\. If it is a note, remove the line/,
  },
  {
    name: "an empty row of a spreadsheet",
    file: text(PLAIN, ...M.map(plain), ",,,,,"),
    as: BTC,
    refused: /line 62 of .*: it has no time\. If it is no row of candles, remove it/,
  },
  {
    name: "JSON of pandas by columns",
    file: JSON.stringify({ time: { 0: M[0]!.t }, open: { 0: 1 }, high: { 0: 1 }, low: { 0: 1 } }),
    as: BTC,
    refused: /it is JSON without a list of rows\. .*to_json\(orient="records"\)/,
  },
];

Deno.test("a head that names other columns than there are is read, or the option is named", async (t) => {
  await importAll(t, HEADS);
});

const LARGE = candles(60, MINUTE_MS, 62_000);
const marked = (mark: string, decimal: string): string =>
  text(
    PLAIN.replaceAll(",", ";"),
    ...LARGE.map((row) =>
      plain(row).replaceAll(",", ";").replaceAll(/(\d\d)(\d{3}\.)/g, `$1${mark}$2`)
        .replaceAll(".", decimal)
    ),
  );
const asNumber = (write: (timeMs: number) => string | number): string =>
  text(PLAIN, ...D.map((row) => `${write(row.t)},${values(row)}`));
const lacking = (word: string): string =>
  text(
    PLAIN,
    ...M.map((row, n) => n % 5 === 0 ? `${row.t}${`,${word}`.repeat(5)}` : plain(row)),
  );

const NUMBERS: readonly FileCase[] = [
  ...[" ", "\u00a0", "\u202f", "'", "’"].flatMap((mark) => [
    {
      name: `thousands with ${JSON.stringify(mark)}`,
      file: marked(mark, "."),
      as: BTC,
      refused: /marks between thousands, say the decimal mark with --decimal/,
    },
    {
      name: `thousands with ${JSON.stringify(mark)}, and the decimal mark`,
      file: marked(mark, "."),
      as: [...BTC, "--decimal", "."],
      stored: LARGE,
    },
    {
      name: `thousands with ${JSON.stringify(mark)}, and a decimal comma`,
      file: marked(mark, ","),
      as: [...BTC, "--decimal", ","],
      stored: LARGE,
    },
    {
      name: `thousands with ${JSON.stringify(mark)}, and the wrong decimal mark`,
      file: marked(mark, ","),
      as: [...BTC, "--decimal", "."],
      refused: /is not a number with the decimal mark \./,
    },
  ]),
  ...["#N/A", "\\N"].map((word) => ({
    name: `${word} where there is no candle`,
    file: lacking(word),
    as: BTC,
    stored: M.filter((_, n) => n % 5 !== 0),
  })),
  {
    name: "prices without a volume",
    file: text(PLAIN, ...M.map((row, n) => plain(n % 5 === 0 ? { ...row, v: "" } : row))),
    as: BTC,
    refused: /12 of its 60 rows fail .*: write 0 where nothing was traded, or remove these rows/,
  },
  ...([
    ["%Y%m%d", asNumber((timeMs) => day(timeMs).replaceAll("-", ""))],
    ["%Y%m%d%H%M", asNumber((timeMs) => `${day(timeMs).replaceAll("-", "")}0000`)],
    ["excel", asNumber((timeMs) => timeMs / 86_400_000 + 25_569)],
  ] as const).flatMap(([format, file]): readonly FileCase[] => [
    {
      name: `a day as ${format}, which is not said`,
      file,
      as: DAYS,
      refused: new RegExp(`lies before 2009, .*If it is a date, .*--time-format ${format}\\. `),
    },
    { name: `a day as ${format}`, file, as: [...DAYS, "--time-format", format], stored: D },
  ]),
];

Deno.test("numbers of other countries and programs are read, or the option is named", async (t) => {
  await importAll(t, NUMBERS);
});

const later = (timeMs: number, ms: number): string =>
  `${day(timeMs + ms)} ${clock(timeMs + ms)}:00`;
const told = (head: string, write: (row: FileCandle) => string, rows = M): string =>
  text(head, ...rows.map(write));
const EIGHT_HOURS_MS = 480 * MINUTE_MS;

const TIMES: readonly FileCase[] = [
  {
    name: "times of China beside those in UTC",
    file: told(
      `${PLAIN},time_utc`,
      (row) => `${later(row.t, EIGHT_HOURS_MS)},${values(row)},${later(row.t, 0)}`,
    ),
    as: BTC,
    refused: /line 2 .*columns time and time_utc tell different times, .* --columns/,
  },
  {
    name: "the ones in UTC, named",
    file: told(
      `${PLAIN},time_utc`,
      (row) => `${later(row.t, EIGHT_HOURS_MS)},${values(row)},${later(row.t, 0)}`,
    ),
    as: [...BTC, "--columns", "-,open,high,low,close,volume,time"],
    stored: M,
  },
  {
    name: "times of China beside seconds",
    file: told(
      `datetime,timestamp,${PLAIN.slice(5)}`,
      (row) => `${later(row.t, EIGHT_HOURS_MS)},${row.t / 1000},${values(row)}`,
    ),
    as: BTC,
    stored: M,
  },
  ...["timestamp", "unix"].map((name) => ({
    name: `closes named ${name} beside opens`,
    file: told(
      `${name},datetime,${PLAIN.slice(5)}`,
      (row) => `${row.t + MINUTE_MS},${later(row.t, 0)},${values(row)}`,
    ),
    as: BTC,
    refused: new RegExp(`columns ${name} and datetime tell different times`),
  })),
  {
    name: "closes beside opens, which are said to be closes",
    file: told(
      `timestamp,datetime,${PLAIN.slice(5)}`,
      (row) => `${row.t + MINUTE_MS},${later(row.t, 0)},${values(row)}`,
    ),
    as: [...BTC, "--time-is", "close"],
    stored: M,
  },
  {
    name: "when a candle last changed, and the day alone",
    file: told(
      `open_time,timestamp,date,${PLAIN.slice(5)}`,
      (row) => `${row.t},${row.t + 58_123},${day(row.t)},${values(row)}`,
    ),
    as: BTC,
    stored: M,
  },
  {
    name: "numbers of rows that are called a time",
    file: told(`time,ts,${PLAIN.slice(5)}`, (row) => `17,${row.t},${values(row)}`),
    as: BTC,
    stored: M,
  },
];

Deno.test("of two columns that tell different times none is taken without being named", async (t) => {
  await importAll(t, TIMES);
});
