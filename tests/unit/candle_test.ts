import assert from "node:assert/strict";
import {
  checkRow,
  compareDecimals,
  REJECTION_REASONS,
  type RejectionReason,
  ROW_TEXT_MAX,
} from "../../lib/market/candle.ts";
import { parseTimeframe } from "../../lib/market/timeframe.ts";

const MINUTE = parseTimeframe("1m");
const OPEN_MS = Date.UTC(2024, 0, 1);

/** A good row with some of its values replaced. */
function row(
  values: Partial<Record<"time" | "open" | "high" | "low" | "close" | "volume", unknown>>,
): unknown[] {
  const good = { time: OPEN_MS, open: "10", high: "12", low: "9", close: "11", volume: "5" };
  return Object.values({ ...good, ...values });
}

const reasonOf = (value: unknown): RejectionReason | undefined =>
  checkRow(MINUTE, value).rejected?.reason;

Deno.test("a good row is a candle with its texts untouched", () => {
  assert.deepEqual(checkRow(MINUTE, [OPEN_MS, "10.50", "12.00", "9.10", "11", "0.000"]), {
    candle: {
      openTimeMs: OPEN_MS,
      open: "10.50",
      high: "12.00",
      low: "9.10",
      close: "11",
      volume: "0.000",
    },
  });
});

Deno.test("values may be numbers, and a time may be text", () => {
  assert.deepEqual(checkRow(MINUTE, [String(OPEN_MS), 10.5, 12, 9.1, 11, 0]), {
    candle: { openTimeMs: OPEN_MS, open: "10.5", high: "12", low: "9.1", close: "11", volume: "0" },
  });
});

Deno.test("further columns are ignored", () => {
  assert.equal(reasonOf([...row({}), "quote volume", null]), undefined);
});

Deno.test("digits that a double would lose arrive as they were written", () => {
  const volume = "12345678901234567890.123456789012345678";
  const { candle } = checkRow(MINUTE, [OPEN_MS, "1e-10", "1E-10", "1e-10", "0.0000000001", volume]);
  assert.deepEqual(candle, {
    openTimeMs: OPEN_MS,
    open: "1e-10",
    high: "1E-10",
    low: "1e-10",
    close: "0.0000000001",
    volume,
  });
  const { candle: tiny } = checkRow(MINUTE, [OPEN_MS, 1e-10, 1e-10, 1e-10, 1e-10, 1e21]);
  assert.deepEqual([tiny?.open, tiny?.volume], ["1e-10", "1e+21"]);
});

Deno.test("each rejection reason is given for its own fault, and only that", () => {
  const faults: Readonly<Record<RejectionReason, readonly unknown[]>> = {
    not_six_values: [[], row({}).slice(0, 5), undefined, null, {}, "row", 7, new Float64Array(6)],
    time_not_a_number: [
      "",
      " ",
      "soon",
      "0x10",
      ` ${OPEN_MS} `,
      null,
      undefined,
      NaN,
      Infinity,
      1.5,
      -60_000,
      {},
      [
        OPEN_MS,
      ],
      true,
      "1e400",
      253_402_300_800_000,
    ].map((time) => row({ time })),
    time_not_aligned: [1, OPEN_MS + 1, OPEN_MS - 1, String(OPEN_MS + 30_000)].map((time) =>
      row({ time })
    ),
    not_a_finite_number: [
      "NaN",
      "Infinity",
      "-Infinity",
      NaN,
      Infinity,
      "",
      " ",
      " 1 ",
      "1 ",
      "0x10",
      "1e400",
      "--1",
      "1,5",
      "1.2.3",
      "1e",
      "e5",
      ".",
      "+",
      "1_000",
      "１",
      "1\0",
      null,
      undefined,
      true,
      {},
      [],
      [1],
      ["1"],
      {
        toString: () => "10",
      },
      { valueOf: () => 10 },
    ].flatMap((value) => [row({ open: value }), row({ volume: value })]),
    price_not_positive: [0, -0, "0", "-0", "0.000", "0e5", -1, "-10", "-1e-10", "-1e-999"].flatMap((
      value,
    ) => [
      row({ open: value }),
      row({ high: value }),
      row({ low: value }),
      row({ close: value }),
    ]),
    volume_negative: [-1, "-5", "-1e-10", "-1e-999"].map((volume) => row({ volume })),
    high_below_body: [
      row({ high: "10.9" }),
      row({ high: "9", low: "1" }),
      row({ open: "13" }),
      row({ close: "12.01" }),
    ],
    low_above_body: [
      row({ low: "10.1" }),
      row({ low: "11" }),
      row({ open: "8" }),
      row({ close: "8.99" }),
    ],
  };
  for (const reason of REJECTION_REASONS) {
    for (const value of faults[reason]) {
      assert.equal(reasonOf(value), reason, `${reason}: ${Deno.inspect(value)}`);
    }
  }
});

Deno.test("edges of the rules are candles: a flat row, no volume, the epoch, a price below every double", () => {
  assert.equal(reasonOf([0, 1, 1, 1, 1, 0]), undefined);
  assert.equal(
    reasonOf(row({ open: "10", high: "10.0", low: "1e1", close: "10", volume: "-0" })),
    undefined,
  );
  const tiny = "1e-999";
  assert.equal(reasonOf([OPEN_MS, tiny, tiny, tiny, tiny, tiny]), undefined);
  assert.equal(reasonOf([OPEN_MS, "2e-999", tiny, tiny, tiny, tiny]), "high_below_body");
  assert.equal(reasonOf(row({ volume: "9".repeat(100) })), undefined);
  assert.equal(reasonOf(row({ volume: "9".repeat(101) })), "not_a_finite_number");
  assert.equal(
    checkRow(parseTimeframe("1M"), row({ time: Date.UTC(9999, 11) })).rejected,
    undefined,
  );
});

Deno.test("prices that are the same double are compared digit by digit", () => {
  const [lower, higher] = ["1234567890.123456789012345", "1234567890.123456789012346"];
  assert.equal(Number(lower), Number(higher));
  assert.equal(reasonOf([OPEN_MS, higher, higher, lower, lower, 1]), undefined);
  assert.equal(reasonOf([OPEN_MS, higher, lower, lower, lower, 1]), "high_below_body");
  assert.equal(reasonOf([OPEN_MS, lower, higher, higher, higher, 1]), "low_above_body");
});

Deno.test("decimals are ordered by value, however they are written", () => {
  const ascending = [
    "-1e300",
    "-10",
    "-1e-999",
    "0",
    "1e-999",
    "2e-999",
    "1e-10",
    "0.1",
    "1",
    "9007199254740992",
    "9007199254740993",
    "1e300",
  ];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) {
      assert.equal(Math.sign(compareDecimals(a, b)), Math.sign(i - j), `${a} ${b}`);
    }
  }
  for (
    const [a, b] of [["1", "1.000"], ["1e3", "1000"], ["+1", "1"], ["-0", "0"], [".5", "0.5"], [
      "1.",
      "1",
    ], [
      "12345678901234567.80",
      "1.23456789012345678e16",
    ]] as const
  ) {
    assert.equal(compareDecimals(a, b), 0, `${a} ${b}`);
  }
});

Deno.test("a rejected row keeps its time and its JSON, cut to a bounded length", () => {
  const { rejected } = checkRow(MINUTE, row({ close: undefined }));
  assert.deepEqual(rejected, {
    reason: "not_a_finite_number",
    row: `[${OPEN_MS},"10","12","9",null,"5"]`,
    openTimeMs: OPEN_MS,
  });
  assert.equal(checkRow(MINUTE, undefined).rejected?.row, "null");
  assert.equal(checkRow(MINUTE, row({ time: "never" })).rejected?.openTimeMs, undefined);
  assert.equal(checkRow(MINUTE, row({ time: 1 })).rejected?.openTimeMs, 1);
  const long = checkRow(MINUTE, row({ open: "9".repeat(5_000_000) })).rejected;
  assert.equal(long?.row.length, ROW_TEXT_MAX);
});

Deno.test("a hostile row is rejected like any other: nothing it holds is run or thrown", () => {
  const explosive = new Proxy({}, {
    get: () => {
      throw new Error("A value was asked to turn itself into text");
    },
  });
  const nested: unknown = JSON.parse("[".repeat(100_000) + "]".repeat(100_000));
  const circular: unknown[] = row({});
  circular[1] = circular;
  for (
    const value of [
      "\0",
      "1\0",
      "'; drop table ohlcv_1m; --",
      "\ud800",
      10n,
      Symbol("10"),
      explosive,
      nested,
    ]
  ) {
    assert.equal(reasonOf(row({ high: value })), "not_a_finite_number");
    assert.equal(reasonOf(row({ time: value })), "time_not_a_number");
  }
  assert.equal(reasonOf(circular), "not_a_finite_number");
  assert.equal(reasonOf(nested), "not_six_values");
  assert.equal(reasonOf(explosive), "not_six_values");
  // As JSON text, where a NUL is six harmless characters.
  assert.match(checkRow(MINUTE, row({ high: "\0" })).rejected?.row ?? "", /"\\u0000"/);
});

Deno.test("a price that nobody trades has no volume, whatever stands in its place", () => {
  for (const price of ["mark", "index", "premium"] as const) {
    for (const volume of ["0", "7", 0, "1", null, undefined, "none"]) {
      const { candle } = checkRow(MINUTE, row({ volume }), price);
      assert.equal(candle?.volume, null, `${price} ${volume}`);
    }
    assert.equal(checkRow(MINUTE, row({}).slice(0, 5), price).candle?.volume, null);
    assert.equal(checkRow(MINUTE, row({}).slice(0, 4), price).rejected?.reason, "not_six_values");
  }
  assert.equal(reasonOf(row({ volume: null })), "not_a_finite_number");
  assert.equal(reasonOf(row({}).slice(0, 5)), "not_six_values");
});

Deno.test("only a premium may be zero or negative, and its high and low lie around its close all the same", () => {
  const premium = { open: "-0.0002", high: "0", low: "-0.0003", close: "-0.0001" };
  assert.deepEqual(checkRow(MINUTE, row(premium), "premium").candle, {
    openTimeMs: OPEN_MS,
    ...premium,
    volume: null,
  });
  for (const price of ["trade", "mark", "index"] as const) {
    const { rejected } = checkRow(MINUTE, row(premium), price);
    assert.equal(rejected?.reason, "price_not_positive", price);
  }
  const broken = [
    [{ ...premium, high: "-0.00015" }, "high_below_body"],
    [{ ...premium, low: "-0.00005" }, "low_above_body"],
    [{ ...premium, open: "NaN" }, "not_a_finite_number"],
  ] as const;
  for (const [values, reason] of broken) {
    assert.equal(checkRow(MINUTE, row(values), "premium").rejected?.reason, reason);
  }
});

Deno.test("a premium may open outside of its high and low, as in the sample of Bybit's documentation", () => {
  const sample = { open: "-0.000587", high: "-0.000344", low: "-0.000480", close: "-0.000344" };
  const mirrored = { open: "0.000587", high: "0.000480", low: "0.000344", close: "0.000344" };
  for (const values of [sample, mirrored]) {
    const { candle } = checkRow(MINUTE, row(values), "premium");
    assert.deepEqual(candle, { openTimeMs: OPEN_MS, ...values, volume: null });
  }
  for (const price of ["trade", "mark", "index"] as const) {
    assert.equal(checkRow(MINUTE, row(mirrored), price).rejected?.reason, "high_below_body");
  }
});
