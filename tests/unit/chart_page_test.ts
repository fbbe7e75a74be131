import assert from "node:assert/strict";
import { boundsOf, windowOf } from "../../lib/serve/page/chart_bounds.js";
import { timeframeFor } from "../../lib/serve/page/chart_tools.js";
import { dateText, floorTime, readDate, spanText, wallTime } from "../../lib/serve/page/dates.js";
import { nearSeries } from "../../lib/serve/page/near_series.js";
import { linkOf, readLink } from "../../lib/serve/page/permalink.js";
import {
  axisText,
  decimalsOf,
  priceText,
  volumeText,
  volumeWords,
} from "../../lib/serve/page/price_text.js";
import { zoneScale } from "../../lib/serve/page/zone_scale.js";
import type { SeriesStatus } from "../../lib/serve/status.ts";
import type { VolumeUnit } from "../../lib/market/terms.ts";
import { floorTime as floorOfMarket, parseTimeframe } from "../../lib/market/timeframe.ts";

const at = (text: string): number => Date.parse(`${text}Z`);

const MINUTES = (zone: string) => ({ zone, timeframe: "1m" });

function seriesOf(exchange: string, symbol: string, timeframe: string): SeriesStatus {
  return {
    exchange,
    symbol,
    timeframe,
    candles: 2,
    first: "2024-03-01T00:00:00.000Z",
    last: "2024-03-10T00:00:00.000Z",
    lastClosedAt: null,
    lastSource: "answer",
    owed: 0,
    wantedBy: null,
    missing: 0,
    explained: 0,
    reasons: {} as SeriesStatus["reasons"],
    lastError: null,
    endedAt: null,
    endedWhy: null,
  };
}

Deno.test("a permalink names what it was made of, whatever is in a symbol", () => {
  const symbols = [
    "BTC/USDT",
    "BTC/USDT:USDT",
    "BTC/USD:BTC-271231-100000-C",
    "BTC/USDT:USDT@mark",
    "B.T-C/US#D",
    "A B/C D",
    "100%/USDT",
    "%2F/%41",
    "币安人生/USDT",
    "Ωμέγα/РУБ",
    "$(rm)'*!/USDT",
    "X@2024-03-01/1m",
    "A?b&c=d+e/USDT",
  ];
  for (const symbol of symbols) {
    for (const atMs of [undefined, at("2024-03-01T00:00"), at("2024-03-01T12:30:15")]) {
      const hash = linkOf({ exchange: "binance", symbol, timeframe: "1s" }, atMs);
      // As the browser tells it, and as a chat may encode it once more than needed.
      for (
        const told of [
          new URL(hash, "http://a/").hash,
          `#${encodeURIComponent(decodeURIComponent(hash.slice(1)))}`,
        ]
      ) {
        const link = readLink(told);
        const read = [link?.exchange, link?.symbol, link?.timeframe, link?.atMs];
        assert.deepEqual(read, ["binance", symbol, "1s", atMs], told);
      }
      assert.match(hash, /^#[\w/:@%.$&+,;=~-]+$/);
    }
  }
});

Deno.test("a permalink can be read and written by hand", () => {
  const series = { exchange: "binance", symbol: "BTC/USDT", timeframe: "1m" };
  assert.equal(linkOf(series), "#binance/BTC/USDT/1m");
  assert.equal(linkOf(series, at("2024-03-01T00:00")), "#binance/BTC/USDT/1m@2024-03-01");
  assert.equal(linkOf(series, at("2024-03-01T12:30")), "#binance/BTC/USDT/1m@2024-03-01T12:30");
  for (const date of ["2024-03-01T12:30Z", "2024-03-01 12:30", "2024-3-1T12:30"]) {
    assert.equal(readLink(`#/binance/BTC/USDT/1m@${date}`)?.atMs, at("2024-03-01T12:30"));
  }
  for (const date of ["yesterday", "2024-02-31", "2024-13-01", "2024-03-01T25:00", ""]) {
    const link = readLink(`#binance/BTC/USDT/1m@${date}`);
    assert.deepEqual([link?.symbol, link?.date, link?.atMs], ["BTC/USDT", date, undefined]);
  }
  assert.equal(readLink("#binance/BTC/USDT")?.timeframe, "");
  // A percent sign that encodes nothing.
  assert.equal(readLink("#binance/100%/USDT/1m")?.symbol, "100%/USDT");
  for (const hash of ["", "#", "#series"]) assert.equal(readLink(hash), undefined);
});

Deno.test("a date is read in its zone, also on the days on which the clock is moved", () => {
  const read = (text: string, zone: string): string | undefined => {
    const date = readDate(text, zone);
    return date && new Date(date.sinceMs).toISOString().slice(0, 16);
  };
  assert.equal(read("2024-03-31 01:59", "Europe/Berlin"), "2024-03-31T00:59");
  // Never on a clock: as much later as the clock was moved.
  assert.equal(read("2024-03-31 02:30", "Europe/Berlin"), "2024-03-31T01:30");
  assert.equal(read("2024-03-31 03:00", "Europe/Berlin"), "2024-03-31T01:00");
  // Twice on a clock: the first time.
  assert.equal(read("2024-10-27 02:30", "Europe/Berlin"), "2024-10-27T00:30");
  assert.equal(read("2024-10-27 03:00", "Europe/Berlin"), "2024-10-27T02:00");
  assert.equal(read("2024-11-03 01:30", "America/New_York"), "2024-11-03T05:30");
  // By half an hour, and a day that is left out.
  assert.equal(read("2024-04-07 01:45", "Australia/Lord_Howe"), "2024-04-06T14:45");
  assert.equal(read("2011-12-31", "Pacific/Apia"), "2011-12-30T10:00");
  assert.equal(read("2024-03-01 12:00Z", "Asia/Tokyo"), "2024-03-01T12:00");
  const hours = (text: string): number => {
    const { sinceMs = NaN, untilMs = NaN } = readDate(text, "Europe/Berlin") ?? {};
    return (untilMs - sinceMs) / 3_600_000;
  };
  assert.deepEqual(["2024-03-31", "2024-10-27", "2024-02"].map(hours), [23, 25, 29 * 24]);
});

Deno.test("every instant is told and read back alike, in every zone, whether the clock is moved or not", () => {
  for (
    const zone of ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]
  ) {
    let before = -Infinity;
    for (let ms = at("2024-01-01T00:00"); ms < at("2025-01-01T00:00"); ms += 195 * 60_000) {
      const text = dateText(ms, MINUTES(zone));
      const [, wall = "", sign = "", hours = "", minutes = "0"] =
        /^(.{16}) UTC([+−])(\d+)(?::(\d\d))?$/.exec(text) ?? [];
      const offsetMs = (Number(hours) * 60 + Number(minutes)) * 60_000 * (sign === "−" ? -1 : 1);
      assert.equal(at(wall.replace(" ", "T")) - offsetMs, ms, text);
      const again = readDate(wall, zone)?.sinceMs ?? NaN;
      assert.ok(again === ms || wallTime(zone, again) === wallTime(zone, ms), text);
      assert.ok(ms > before);
      before = ms;
    }
  }
});

Deno.test("spans are told once where days and offsets are the same", () => {
  const span = (since: string, until: string, zone: string, timeframe = "1m"): string =>
    spanText(at(since), at(until), { zone, timeframe });
  assert.equal(span("2024-03-01T12:00", "2024-03-01T12:14", "UTC"), "2024-03-01 12:00 – 12:14");
  assert.equal(
    span("2024-03-31T00:30", "2024-03-31T01:30", "Europe/Berlin"),
    "2024-03-31 01:30 UTC+1 – 03:30 UTC+2",
  );
  assert.equal(
    span("2024-03-01T12:00", "2024-03-01T12:14", "Asia/Kathmandu"),
    "2024-03-01 17:45 – 17:59 UTC+5:45",
  );
  // Days are UTC everywhere.
  const days = span("2024-03-01T00:00", "2024-03-03T00:00", "America/New_York", "1d");
  assert.equal(days, "2024-03-01 – 2024-03-03 UTC");
});

Deno.test("marks of the axis stand at the midnights of the zone, also when the clock is moved", () => {
  class Scale {}
  const behaviour = (() => Scale) as unknown as Parameters<typeof zoneScale>[0];
  const marks = (zone: string, since: string): string[] => {
    const scale = zoneScale(behaviour, { zone, timeframe: "1h" });
    const points = Array.from({ length: 60 }, (_, hour) => ({
      originalTime: at(since) / 1000 + hour * 3_600,
      timeWeight: 0,
    }));
    scale.fillWeightsForPoints(points as never, 0);
    return points.filter(({ timeWeight }) => timeWeight >= 50).map((point) =>
      new Date(point.originalTime * 1000).toISOString().slice(5, 13) + "=" +
      scale.formatTickmark({ ...point, weight: point.timeWeight } as never, {} as never)
    );
  };
  assert.deepEqual(marks("UTC", "2024-03-30T12:00"), ["03-31T00=31", "04-01T00=Apr"]);
  assert.deepEqual(marks("Europe/Berlin", "2024-03-30T12:00"), [
    "03-30T23=31",
    "03-31T22=Apr",
    "04-01T22=2",
  ]);
  assert.deepEqual(marks("America/New_York", "2023-12-31T00:00"), [
    "12-31T05=31",
    "01-01T05=2024",
    "01-02T05=2",
  ]);
});

Deno.test("candles open when the program says so", () => {
  for (const timeframe of ["1s", "1m", "4h", "1d", "3d", "1w", "2w", "1M", "3M", "1y"]) {
    for (
      const ms of [0, at("2024-02-29T23:59:59"), at("2024-12-30T00:00"), at("1999-07-04T11:11")]
    ) {
      assert.equal(
        floorTime(timeframe, ms),
        floorOfMarket(parseTimeframe(timeframe), ms),
        timeframe,
      );
    }
  }
});

Deno.test("prices have their market's decimals, on the axis as in the reading", () => {
  assert.deepEqual(
    ["64231.12000000", "0.0000000001", "100000", "100000.0", "1.10", "-0.00010"].map(decimalsOf),
    [2, 10, 0, 0, 1, 4],
  );
  assert.equal(priceText("64231.12000000", 2), "64231.12");
  assert.equal(priceText("64231", 2), "64231.00");
  assert.equal(priceText("100000.00", 0), "100000");
  assert.equal(priceText("0.0000000001", 10), "0.0000000001");
  for (
    const [price, decimals, text] of [
      [1e-10, 10, "0.0000000001"],
      [123_456.5, 1, "123456.5"],
      [100_000, 0, "100000"],
      [64_231.12, 18, "64231.1200000000"],
      [-0.00001, 2, "0.00"],
      [-0.25, 2, "-0.25"],
    ] as const
  ) assert.equal(axisText(price, decimals), text);
  assert.equal(volumeText("1234567.50000000"), "1,234,567.5");
  assert.equal(volumeText("0.00000000"), "0");
});

Deno.test("a volume is told with its unit, and what contracts are worth", () => {
  const words = (
    symbol: string,
    volumeUnit: VolumeUnit | null,
    volumeBase: string | null,
  ): string => volumeWords({ volume: "1250.0", volumeUnit, volumeBase }, symbol);
  assert.equal(words("BTC/USDT", "base", "1250.0"), "1,250 BTC");
  assert.equal(words("BTC/USDT:USDT", "quote", null), "1,250 USDT");
  assert.equal(words("BTC/USDT:USDT-241227", "contracts", "12.500"), "1,250 contracts = 12.5 BTC");
  assert.equal(words("BTC/USD:BTC", "contracts", null), "1,250 contracts");
  // Not known, and one that forms.
  assert.equal(words("BTC/USDT", null, null), "1,250");
  assert.equal(volumeWords({ volume: "1250.0" }, "BTC/USDT"), "1,250");
});

Deno.test("what a link may have meant is named, the nearest first", () => {
  const all = [
    seriesOf("binance", "BTC/USDT", "1m"),
    seriesOf("binance", "BTC/USDT", "1d"),
    seriesOf("kraken", "BTC/USD", "1m"),
    seriesOf("okx", "ETH/USDT", "1m"),
  ];
  const near = (exchange: string, symbol: string, timeframe = "1m"): string[] =>
    nearSeries({ exchange, symbol, timeframe }, all)
      .map((one) => `${one.exchange} ${one.symbol} ${one.timeframe}`);
  assert.deepEqual(near("binance", "BTC/USD").slice(0, 2), [
    "binance BTC/USDT 1m",
    "binance BTC/USDT 1d",
  ]);
  assert.deepEqual(near("binnance", "btc/usdt", "1d")[0], "binance BTC/USDT 1d");
  assert.deepEqual(near("coinbase", "BTC/EUR").includes("kraken BTC/USD 1m"), true);
  assert.deepEqual(near("okx", "DOGE/TRY"), []);
});

Deno.test("a range is shown in the timeframe that makes a picture of it", () => {
  const day = 86_400_000;
  const choose = (days: number, shown: string, timeframes = ["1m", "15m", "1h", "1d"]): string =>
    timeframeFor(timeframes, { shown, sinceMs: 0, untilMs: days * day, fitting: 1_200 });
  assert.equal(choose(1, "1m"), "15m");
  assert.equal(choose(0.5, "1m"), "1m");
  assert.equal(choose(7, "1h"), "1h");
  assert.equal(choose(1, "1d"), "15m");
  assert.equal(choose(365, "1m"), "1d");
  assert.equal(choose(3_650, "1m"), "1d");
  assert.equal(choose(365, "1m", ["1m"]), "1m");
});

Deno.test("a date outside of what is stored shows the nearest candles, and says so", () => {
  const shown = seriesOf("binance", "BTC/USDT", "1d");
  const bounds = boundsOf(shown, [shown], { base: null, nowMs: at("2024-03-10T12:00") });
  assert.deepEqual(bounds, {
    firstMs: at("2024-03-01T00:00"),
    lastMs: at("2024-03-10T00:00"),
    endMs: at("2024-03-11T00:00"),
  });
  const stand = (place: Parameters<typeof windowOf>[1]): unknown[] => {
    const { atMs, note = "" } = windowOf(bounds, place, { zone: "UTC", timeframe: "1d" });
    return [atMs, note];
  };
  assert.deepEqual(stand({ atMs: at("2024-03-05T17:00") }), [at("2024-03-05T00:00"), ""]);
  assert.deepEqual(stand({ atMs: at("1999-01-01T00:00") }), [
    at("2024-03-01T00:00"),
    "Nothing is stored before 2024-03-01. Shown is the beginning.",
  ]);
  assert.deepEqual(stand({ atMs: at("2024-03-11T00:00") }), [
    at("2024-03-10T00:00"),
    "Nothing is stored from 2024-03-11 on. Shown is the end.",
  ]);
  const range = { sinceMs: at("2020-01-01T00:00"), untilMs: at("2020-02-01T00:00") };
  assert.deepEqual(stand({ range }), [
    at("2024-03-01T00:00"),
    "Nothing is stored before 2024-03-01. Shown is the beginning.",
  ]);
});
