/** What times, zones, numbers, names of files and of markets mean. @module */
import assert from "node:assert/strict";
import { DecimalProof, plainNumber } from "../../lib/market/csv_number.ts";
import { parseTimeFormat } from "../../lib/market/csv_time_format.ts";
import { symbolOf, timeframeOf, timeframeOfMinutes } from "../../lib/market/market_name.ts";
import { fixedZone, namedZone } from "../../lib/market/time_zone.ts";
import { parseNameTemplate } from "../../lib/transfer/name_template.ts";
import { PRESETS } from "../../lib/transfer/presets/presets.ts";

Deno.test("a place's clocks show one hour twice, another never, and all others once", () => {
  const berlin = namedZone("Europe/Berlin")!;
  const at = (text: string): readonly string[] =>
    berlin.timesOf(Date.parse(`${text}Z`)).map((timeMs) =>
      new Date(timeMs).toISOString().slice(0, 16)
    );
  assert.deepEqual(at("2024-01-31T12:00"), ["2024-01-31T11:00"]);
  assert.deepEqual(at("2024-07-31T12:00"), ["2024-07-31T10:00"]);
  assert.deepEqual(at("2024-10-27T02:30"), ["2024-10-27T00:30", "2024-10-27T01:30"]);
  assert.deepEqual(at("2024-10-27T01:59"), ["2024-10-26T23:59"]);
  assert.deepEqual(at("2024-10-27T03:00"), ["2024-10-27T02:00"]);
  assert.deepEqual(at("2024-03-31T02:00"), []);
  assert.deepEqual(at("2024-03-31T03:00"), ["2024-03-31T01:00"]);
  assert.deepEqual(
    ["Europe/Nowhere", "Berlin", "../etc/passwd", ""].map(namedZone),
    Array(4).fill(undefined),
  );
});

Deno.test("a time is read as its format says, or not at all", () => {
  const read = (format: string, text: string): string | undefined => {
    const time = parseTimeFormat(format).read(text, undefined);
    return time === undefined || "times" in time ? undefined : new Date(time.timeMs).toISOString();
  };
  const cases = [
    ["%d.%m.%Y %H:%M", "31.12.2024 23:59", "2024-12-31T23:59:00.000Z"],
    ["%d.%m.%Y %H:%M", "31.02.2024 23:59", undefined],
    ["%d.%m.%Y %H:%M", "31.12.2024 24:00", undefined],
    ["%m/%d/%y %I:%M %p", "3/1/24 12:05 AM", "2024-03-01T00:05:00.000Z"],
    ["%b %d, %Y", "Mar 01, 2024", "2024-03-01T00:00:00.000Z"],
    ["%Y%m%d %H%M%S", "20240301 000100", "2024-03-01T00:01:00.000Z"],
    ["%Y-%m-%dT%H:%M:%S.%f%z", "2024-03-01T02:00:00.5+02:00", "2024-03-01T00:00:00.500Z"],
    ["s", "1709251200", "2024-03-01T00:00:00.000Z"],
    ["s", "1709251200000", undefined],
    ["ms", "1709251200000", "2024-03-01T00:00:00.000Z"],
    ["us", "1709251200000000", "2024-03-01T00:00:00.000Z"],
    ["ns", "1709251200000000000", "2024-03-01T00:00:00.000Z"],
    ["excel", "45352", "2024-03-01T00:00:00.000Z"],
    ["excel", "45352.04166667", "2024-03-01T01:00:00.000Z"],
  ] as const;
  for (const [format, text, expected] of cases) {
    assert.equal(read(format, text), expected, `${format} ${text}`);
  }
  for (const wrong of ["%H:%M", "%Y %Y %m %d", "%Y-%m-%d %q", "%Y-%m-%d %I", "", "seconds"]) {
    assert.throws(() => parseTimeFormat(wrong), /Allowed are s, ms, us, ns, excel/, wrong);
  }
  const moved = parseTimeFormat("%d.%m.%Y").read("01.03.2024", fixedZone("+02:00", 7_200_000));
  assert.deepEqual(moved, { timeMs: Date.UTC(2024, 1, 29, 22), style: "text without a time zone" });
});

Deno.test("a mark between thousands stands where it may, or the text is no number", () => {
  const comma = { decimal: ",", hasThousands: true } as const;
  const point = { decimal: ".", hasThousands: true } as const;
  assert.deepEqual(
    ["62,000.1", "1,234,567", "62,00.1", "1.5", "6,200", "1,234,5"].map((text) =>
      plainNumber(text, point)
    ),
    ["62000.1", "1234567", undefined, "1.5", "6200", undefined],
  );
  assert.deepEqual(["62.000,1", "1,5", "1.5"].map((text) => plainNumber(text, comma)), [
    "62000.1",
    "1.5",
    undefined,
  ]);
  const proof = new DecimalProof();
  proof.add("1,234");
  assert.equal(proof.style(), "");
  proof.add("1,23");
  assert.deepEqual(proof.style(), { decimal: ",", hasThousands: false });
  proof.add("62,000.1");
  assert.equal(proof.style(), "62,000.1");
});

Deno.test("a market's name is read as a symbol only where one reading is possible", () => {
  const quotes = ["USDT", "TUSD", "USD", "BTC"];
  const spot = { kinds: ["spot"], quotes } as const;
  assert.equal(symbolOf("BTCUSDT", spot), "BTC/USDT");
  assert.equal(symbolOf("BTCTUSD", spot), undefined, "BTC/TUSD, or BTCT/USD");
  assert.equal(symbolOf("USDTUSD", spot), undefined);
  assert.equal(symbolOf("BTCXYZ", spot), undefined);
  assert.equal(
    symbolOf("XBTUSD", { kinds: ["spot"], quotes: ["USD"], coins: { XBT: "BTC" } }),
    "BTC/USD",
  );
  assert.equal(symbolOf("BTCUSDT", { kinds: ["linear", "inverse"], quotes }), "BTC/USDT:USDT");
  assert.equal(symbolOf("BTCUSD_PERP", { kinds: ["linear", "inverse"], quotes }), "BTC/USD:BTC");
  assert.equal(symbolOf("BTCUSDT_240329", { kinds: ["linear"], quotes }), "BTC/USDT:USDT-240329");
  assert.equal(symbolOf("BTCUSDT_240329", spot), undefined);
  assert.equal(symbolOf("BTCUSDT", { kinds: ["spot", "linear"], quotes }), undefined);
  assert.equal(symbolOf("BTC-USDT-SWAP"), "BTC/USDT:USDT");
  assert.equal(symbolOf("BTC_USDT_USDT"), "BTC/USDT:USDT");
  assert.equal(symbolOf("X:BTC-USD", spot), "BTC/USD");
});

Deno.test("a timeframe is understood however files write it", () => {
  const texts = [
    "1m",
    "1min",
    "5minutes",
    "60min",
    "1hour",
    "4H",
    "1D",
    "1Dutc",
    "1week",
    "1mon",
    "1M",
    "M15",
    "H4",
    "D1",
    "MN1",
    "daily",
    "30s",
  ];
  assert.deepEqual(texts.map(timeframeOf), [
    ...[
      "1m",
      "1m",
      "5m",
      "1h",
      "1h",
      "4h",
      "1d",
      "1d",
      "1w",
      "1M",
      "1M",
      "15m",
      "4h",
      "1d",
      "1M",
      "1d",
      "30s",
    ],
  ]);
  assert.deepEqual(["", "m", "1x", "tick"].map(timeframeOf), Array(4).fill(undefined));
  assert.deepEqual(["1", "60", "240", "1440", "10080", "D", "x"].map(timeframeOfMinutes), [
    "1m",
    "1h",
    "4h",
    "1d",
    "1w",
    "1d",
    undefined,
  ]);
});

Deno.test("a template reads the names that have its form, and says why it cannot be one", () => {
  const read = (template: string, name: string): unknown => parseNameTemplate(template).read(name);
  assert.deepEqual(read("{symbol}-{timeframe}-{date}", "BTC_USDT-1m-2024-03.csv.gz"), {
    symbol: "BTC_USDT",
    timeframe: "1m",
    date: "2024-03",
  });
  assert.deepEqual(read("{any}", "whatever.csv"), {});
  assert.throws(
    () => read("{base}-{quote}", "BTCUSDT.csv"),
    /its name has not the form \{base\}-\{quote\} of --name/,
  );
  for (
    const wrong of [
      "{base}{quote}",
      "{base}",
      "{symbol}-{base}-{quote}",
      "{coin}",
      "{symbol",
      "plain",
      "{symbol}-{symbol}",
    ]
  ) {
    assert.throws(() => parseNameTemplate(wrong), Error, wrong);
  }
});

Deno.test("each preset has a name of its own, and each form of name at least one part", () => {
  assert.equal(new Set(PRESETS.map(({ name }) => name)).size, PRESETS.length);
  for (const { name, fileNames = [], layouts = [] } of PRESETS) {
    for (const { form } of fileNames) assert.match(form.source, /\(\?<(?:symbol|quote)>/, name);
    for (const { columns } of layouts) {
      for (const price of ["open", "high", "low", "close"]) {
        assert.ok(columns.includes(price), `${name}: ${columns.join()}`);
      }
    }
  }
});
