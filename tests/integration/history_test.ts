/** Backfill from the files that Binance publishes: what is stored equals the truth, whatever is wrong with a file. @module */
import assert from "node:assert/strict";
import {
  assertTruth,
  BTC,
  type HistoryScene,
  importsOf,
  MINUTE_MS,
  MONTHS,
  type SceneOptions,
  withHistoryScene,
} from "../support/history_scene.ts";
import type { ArchivedRow, FileTrouble } from "../support/local_exchange/binance_files.ts";

const [FEBRUARY, JANUARY, DECEMBER] = MONTHS;

const WHOLE = {
  [DECEMBER]: "BTCUSDT-5m-2023-12.zip 64 8928",
  [JANUARY]: "BTCUSDT-5m-2024-01.zip 64 8928",
  [FEBRUARY]: "BTCUSDT-5m-2024-02.zip 64 8352",
};

for (const isEmbedded of [false, true]) {
  const where = isEmbedded ? "the embedded database" : "a server";
  Deno.test(`whole months come from files, the rest from the API, and imports tells each file: ${where}`, () =>
    withHistoryScene({ isEmbedded }, async (scene) => {
      const report = await scene.run();
      assert.deepEqual([report.left, report.files, report.problems], [0, 3, []]);
      assert.deepEqual(scene.filesAsked().toSorted(), MONTHS.toSorted());
      await assertTruth(scene);
      assert.deepEqual(await importsOf(scene), Object.values(WHOLE));
      const again = await scene.run();
      assert.deepEqual([again.files, again.added, scene.filesAsked().length], [0, 0, 3]);
    }));
}

Deno.test("HISTORY=off asks for no file, and the API gives all", () =>
  withHistoryScene({}, async (scene) => {
    const report = await scene.run({ HISTORY: "off" });
    assert.deepEqual([report.left, report.files, scene.filesAsked()], [0, 0, []]);
    await assertTruth(scene);
  }));

/** One file of three is wrong. */
function faultTest(
  name: string,
  trouble: FileTrouble,
  check: (
    scene: HistoryScene,
    told: { readonly imports: readonly string[] },
  ) => void | Promise<void>,
  options: SceneOptions = {},
): void {
  Deno.test(`a file of a month ${name}`, () =>
    withHistoryScene({
      ...options,
      trouble: (name) => name.startsWith(JANUARY.slice(0, -4)) ? trouble : undefined,
    }, async (scene) => {
      const report = await scene.run();
      assert.equal(report.left, 0, JSON.stringify(report));
      await assertTruth(scene);
      await check(scene, { imports: await importsOf(scene) });
    }));
}

/** The others are taken, that one is not. */
function assertRefused(
  scene: HistoryScene,
  { imports }: { readonly imports: readonly string[] },
  why: RegExp,
): void {
  assert.deepEqual(imports, [WHOLE[DECEMBER], WHOLE[FEBRUARY]]);
  const told = scene.lines().filter((line) => line.includes(JANUARY) && why.test(line));
  assert.equal(told.length, 1, scene.lines().filter((line) => /file/.test(line)).join("\n"));
}

faultTest("that is missing is asked of the API", { missingUntilMs: Infinity }, (scene, told) => {
  assert.deepEqual(told.imports, [WHOLE[DECEMBER], WHOLE[FEBRUARY]]);
  assert.equal(scene.filesAsked().includes(JANUARY), false);
});

faultTest(
  "with a wrong checksum is not stored",
  { hasWrongChecksum: true },
  (scene, told) => assertRefused(scene, told, /its SHA-256 is [0-9a-f]{64}, and its checksum says/),
);

faultTest("that is broken inside, and whose checksum is of the broken bytes, is not stored", {
  isBroken: true,
}, (scene, told) => assertRefused(scene, told, /cannot be unpacked/));

faultTest("whose values differ from the API is not stored, and its series is left to the API", {
  rows: (rows) =>
    rows.map((row) => [row[0], row[1], row[2], row[3], row[4], `${row[5]}1`, ...row.slice(6)]),
}, async (scene, { imports }) => {
  assert.equal(imports.some((one) => one.startsWith(JANUARY)), false);
  const [event] = await scene.database.sql<{ text: string }[]>`
    select text from events where kind = 'file_differs'`;
  const differs = scene.lines().find((line) => line.includes("differs from the API"));
  assert.match(event?.text ?? differs ?? "", /the volume of 2024-01-.+ is .+, and by the API/);
});

faultTest("with candles that the API does not have is not stored", {
  rows: (rows) => {
    const [first] = rows;
    return first === undefined ? rows : Array.from({ length: 31 * 288 }, (_, at) => {
      const openMs = Date.UTC(2024, 0, 1) + at * 5 * MINUTE_MS;
      return changed(changed(first, 0, openMs), 6, openMs + 5 * MINUTE_MS - 1);
    });
  },
}, (_, { imports }) => {
  assert.equal(imports.some((one) => one.startsWith(JANUARY)), false);
}, {
  symbols: [{
    ...BTC,
    holes: [{ sinceMs: Date.UTC(2024, 0, 1, 1), untilMs: Date.UTC(2024, 1, 1) }],
  }],
});

faultTest("that lacks rows is stored, and the API gives those", {
  rows: (rows) => rows.filter((_, at) => at < 1_000 || at >= 1_300),
}, (_, { imports }) => {
  assert.deepEqual(imports, [WHOLE[DECEMBER], "BTCUSDT-5m-2024-01.zip 64 8628", WHOLE[FEBRUARY]]);
});

faultTest("with rows twice has each once", {
  rows: (rows) => rows.flatMap((row, at) => at % 100 === 7 ? [row, row] : [row]),
}, (_, { imports }) => assert.deepEqual(imports, Object.values(WHOLE)));

faultTest("with rows in any order is stored", {
  rows: (rows) => rows.toReversed(),
}, (_, { imports }) => assert.deepEqual(imports, Object.values(WHOLE)));

faultTest("with a time twice and different values is not stored", {
  rows: (rows) => rows.flatMap((row, at) => at === 7 ? [row, changed(row, 5, "1")] : [row]),
}, (scene, told) => assertRefused(scene, told, /twice with different values/));

faultTest("with a row of another month is not stored", {
  rows: (
    rows,
  ) => [
    ...rows,
    rows.at(-1)!.map((value, at) => at === 0 || at === 6 ? Number(value) + 300_000 : value),
  ],
}, (scene, told) => assertRefused(scene, told, /of another time than the file/));

faultTest("with rows of another timeframe is not stored", {
  rows: (rows) =>
    rows.filter((_, at) => at % 3 === 0).map((row) => changed(row, 6, Number(row[0]) + 899_999)),
}, (scene, told) => assertRefused(scene, told, /not of 5m by its close time/));

faultTest("that names its columns in another order is not stored", {
  hasHead: true,
  text: (text) => text.replace("open,high,low,close", "close,high,low,open"),
}, (scene, told) => assertRefused(scene, told, /line 1: it does not name the columns/));

faultTest("that ends in the middle of a row is not stored", {
  text: (text) => text.slice(0, -60),
}, (scene, told) => assertRefused(scene, told, /columns, not 12/));

for (
  const [name, trouble] of [["microseconds", { isMicros: true }], ["names", {
    hasHead: true,
  }]] as const
) {
  faultTest(
    `with ${name} is stored`,
    trouble,
    (_, { imports }) => assert.deepEqual(imports, Object.values(WHOLE)),
  );
}

faultTest(
  "with a row that is no candle is stored without it, and the API decides",
  {
    rows: (rows) => rows.map((row, at) => at === 500 ? changed(row, 1, "-1") : row),
  },
  (_, { imports }) =>
    assert.deepEqual(imports, [WHOLE[DECEMBER], "BTCUSDT-5m-2024-01.zip 64 8927", WHOLE[FEBRUARY]]),
);

faultTest(
  "for whose time the exchange has holes is stored, and the holes are answered by the API",
  {},
  (
    _,
    { imports },
  ) =>
    assert.deepEqual(imports, [WHOLE[DECEMBER], "BTCUSDT-5m-2024-01.zip 64 8640", WHOLE[FEBRUARY]]),
  {
    symbols: [{
      ...BTC,
      holes: [{ sinceMs: Date.UTC(2024, 0, 10), untilMs: Date.UTC(2024, 0, 11) }],
    }],
  },
);

function changed(row: ArchivedRow, at: number, value: unknown): ArchivedRow {
  return row.map((known, other) => other === at ? value : known);
}
