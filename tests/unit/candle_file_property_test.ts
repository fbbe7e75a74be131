/** Random candles in random formats: what is read of a file is the truth, or the file is refused. @module */
import assert from "node:assert/strict";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import { readCandleFile } from "../../lib/transfer/candle_file.ts";
import type { FileLine, LineFile } from "../../lib/transfer/file_lines.ts";
import { fc } from "../support/property.ts";

/** Open, high, low, close and volume in hundredths. */
interface Drawn {
  readonly index: number;
  readonly values: readonly number[];
}

interface Format {
  readonly names: boolean;
  readonly order: string;
  readonly separator: string;
  readonly comma: boolean;
  readonly time: "s" | "ms" | "us" | "iso" | "sci";
  readonly isNewestFirst: boolean;
}

const ORDERS = [
  "tohlcv",
  "tohlcvk",
  "tohlcvq",
  "tohlcqv",
  "tlhocv",
  "tochlv",
  "tochlqv",
  "tclohv",
  "tqchlo",
  "tohlcwvk",
  "tohlcvxqkvq",
  "tohlcv".replace("v", "nv"),
];

const NAMES: Readonly<Record<string, string>> = {
  t: "time",
  o: "open",
  h: "high",
  l: "low",
  c: "close",
  v: "volume",
  q: "quote_volume",
  k: "trades",
  w: "vwap",
  x: "close_time",
  n: "contracts",
};

const formats: fc.Arbitrary<Format> = fc.record({
  names: fc.boolean(),
  order: fc.constantFrom(...ORDERS),
  separator: fc.constantFrom(",", ";", "\t"),
  comma: fc.boolean(),
  time: fc.constantFrom("s", "ms", "us", "iso", "sci"),
  isNewestFirst: fc.boolean(),
});

/** A walk whose opens are the closes before, or jump; holes are where nothing was traded. */
const walks: fc.Arbitrary<readonly Drawn[]> = fc.record({
  start: fc.integer({ min: 20, max: 5_000_000 }),
  steps: fc.array(
    fc.record({
      skip: fc.constantFrom(1, 1, 1, 1, 1, 2, 5),
      jump: fc.constantFrom(0, 0, 0, 3, -3),
      move: fc.integer({ min: -40, max: 40 }),
      up: fc.integer({ min: 0, max: 30 }),
      down: fc.integer({ min: 0, max: 30 }),
      volume: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 900_000 })),
    }),
    { minLength: 1, maxLength: 80 },
  ),
}).map(({ start, steps }) => {
  let [last, index] = [start, 0];
  return steps.map(({ skip, jump, move, up, down, volume }) => {
    const open = Math.max(2, last + jump);
    const close = Math.max(2, open + move);
    const low = Math.max(1, Math.min(open, close) - down);
    last = close;
    index += skip;
    return { index, values: [open, Math.max(open, close) + up, low, close, volume] };
  });
});

Deno.test("what is read of a file is the truth, in whatever format it is written", async () => {
  await fc.assert(
    fc.asyncProperty(walks, formats, async (walk, format) => {
      const { rows } = await read(written(walk, format, "1h"), "1h");
      if (rows !== undefined) assert.deepEqual(sorted(rows), truth(walk, "1h"));
    }),
  );
});

Deno.test("a file with names and a volume in coins is read, and not only refused", async () => {
  await fc.assert(
    fc.asyncProperty(walks, formats, async (walk, format) => {
      fc.pre(walk.slice(1).some(({ index }, at) => index - walk[at]!.index === 1));
      fc.pre(walk.some(({ values }) => values[4]! > 0));
      const named = { ...format, names: true, order: "tohlcv", comma: false };
      const { rows, why } = await read(written(walk, named, "1h"), "1h");
      assert.equal(why, undefined);
      assert.deepEqual(sorted(rows!), truth(walk, "1h"));
    }),
  );
});

Deno.test("a file of another timeframe than is said is refused", async () => {
  const other = fc.constantFrom(["1m", "1h"], ["30m", "1h"], ["1h", "1m"], ["1d", "1h"], [
    "4h",
    "1d",
  ]);
  await fc.assert(
    fc.asyncProperty(walks, formats, other, async (walk, format, [is, said]) => {
      // Fewer rows may all open where those of a longer timeframe do.
      fc.pre(
        walk.length > 2 && walk.slice(1).some(({ index }, at) => index - walk[at]!.index === 1),
      );
      const { rows } = await read(written(walk, format, is!), said!);
      assert.deepEqual(rows ?? [], []);
    }),
  );
});

Deno.test("a file that was cut anywhere gives no candle that is not true", async () => {
  await fc.assert(
    fc.asyncProperty(
      walks,
      formats,
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (walk, format, share) => {
        const content = written(walk, format, "1h");
        const { rows = [] } = await read(
          content.slice(0, Math.floor(content.length * share)),
          "1h",
        );
        const whole = new Set(truth(walk, "1h"));
        for (const row of rows) assert.ok(whole.has(row), row);
      },
    ),
  );
});

Deno.test("a file of two instruments gives the candles of one, or none", async () => {
  await fc.assert(
    fc.asyncProperty(walks, walks, fc.boolean(), async (walk, others, hasNames) => {
      const line = (name: string) => ({ index, values }: Drawn): string =>
        [...hasNames ? [name] : [], openMs(index, "1h"), ...values.map(decimal)].join();
      const lines = [...walk.map(line("BTCUSDT")), ...others.map(line("ETHUSDT"))];
      const head = `${hasNames ? "pair," : ""}time,open,high,low,close,volume`;
      const { rows } = await read([head, ...lines, ""].join("\n"), "1h");
      // Without names only two rows of one time tell.
      const times = new Set(walk.map(({ index }) => index));
      const isTold = hasNames || others.some(({ index }) => times.has(index));
      const isSame = JSON.stringify(walk) === JSON.stringify(others);
      if (rows !== undefined && isTold && !isSame) {
        assert.deepEqual(sorted(rows), truth(walk, "1h"));
      }
    }),
  );
});

function openMs(index: number, timeframe: string): number {
  return Date.UTC(2024, 2, 1) + index * nominalMs(parseTimeframe(timeframe));
}

function decimal(hundredths: number): string {
  return (hundredths / 100).toFixed(2);
}

function written(walk: readonly Drawn[], format: Format, timeframe: string): string {
  const lines = walk.map(({ index, values }) => {
    const [open, high, low, close, volume] = values as [number, number, number, number, number];
    const timeMs = openMs(index, timeframe);
    const mean = (open + high + low + close) / 4;
    const fields: Readonly<Record<string, string>> = {
      t: timeText(timeMs, format.time),
      x: timeText(timeMs + nominalMs(parseTimeframe(timeframe)), format.time),
      o: decimal(open),
      h: decimal(high),
      l: decimal(low),
      c: decimal(close),
      v: decimal(volume),
      q: (volume * mean / 10_000).toFixed(6),
      w: decimal(Math.round(mean)),
      n: String(volume),
      k: String(volume % 97),
    };
    return [...format.order].map((key) =>
      format.comma && format.separator !== "," && key !== "t" && key !== "x"
        ? fields[key]!.replace(".", ",")
        : fields[key]!
    ).join(format.separator);
  });
  if (format.isNewestFirst) lines.reverse();
  // A name that comes twice is of what takers bought.
  const head = [...format.order].map((key, at) =>
    format.order.indexOf(key) === at ? NAMES[key]! : `taker_${NAMES[key]}`
  );
  return [...format.names ? [head.join(format.separator)] : [], ...lines, ""].join("\n");
}

function timeText(timeMs: number, style: Format["time"]): string {
  if (style === "iso") return new Date(timeMs).toISOString();
  if (style === "sci") return (timeMs / 1000).toExponential(18);
  return String(style === "s" ? timeMs / 1000 : style === "us" ? timeMs * 1000 : timeMs);
}

function truth(walk: readonly Drawn[], timeframe: string): readonly string[] {
  return walk.map(({ index, values }) => [openMs(index, timeframe), ...values].join(" "));
}

function sorted(rows: readonly string[]): readonly string[] {
  return rows.toSorted((a, b) => parseInt(a) - parseInt(b));
}

/** The candles of a file, as {@linkcode truth} writes them, or why there are none. */
async function read(
  content: string,
  timeframe: string,
): Promise<{ readonly rows?: readonly string[]; readonly why?: string }> {
  const lines = content.split("\n");
  const file: LineFile = {
    path: "file.csv",
    name: "file.csv",
    writtenMs: undefined,
    place: (line) => `line ${line}`,
    async *lines(): AsyncGenerator<FileLine, void> {
      for (const [at, text] of lines.entries()) {
        const isEnded = at < lines.length - 1;
        if (isEnded || text !== "") yield await Promise.resolve({ text, number: at + 1, isEnded });
      }
    },
    sha256: () => "",
    close: () => Promise.resolve(),
  };
  try {
    const { rows } = await readCandleFile(file, {
      exchange: "binance",
      symbol: "BTC/USDT",
      timeframe,
      knownExchanges: ["binance"],
    });
    const found: string[] = [];
    for await (const { row: [timeMs, ...values], state } of rows()) {
      const numbers = values.map((value) => Math.round(Number(value) * 1e8) / 1e6);
      if (state === "candle") found.push([timeMs, ...numbers].join(" "));
    }
    return { rows: found };
  } catch (error) {
    assert.ok(error instanceof Error && /^Cannot /.test(error.message), String(error));
    return { why: error.message };
  }
}
