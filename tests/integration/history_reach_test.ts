/** Files that come late, are refused or out of reach, and an API that is: one does not stop the other. @module */
import assert from "node:assert/strict";
import {
  assertTruth,
  DAY_MS,
  importsOf,
  MONTHS,
  withHistoryScene,
} from "../support/history_scene.ts";
import { FILES_ENDPOINT } from "../support/local_exchange/binance_files.ts";
import { START_MS, testClock } from "../support/test_clock.ts";

const FILES = { when: { path: FILES_ENDPOINT } } as const;

/** As proxies and networks for content write them: longer than any checksum. */
const LONG_PAGE = `<html><title>Access denied</title>${
  "<p>Ask your administrator.</p>".repeat(5_000)
}`;

const REFUSALS = [
  { status: 403 },
  { status: 451 },
  { status: 403, refusal: LONG_PAGE },
  { status: 451, refusal: LONG_PAGE },
];

for (const { status, refusal } of REFUSALS) {
  const how = refusal === undefined ? "a word" : "a long page";
  Deno.test(`an archive that refuses with ${status} and ${how} is told of once and asked no more in this run`, () =>
    withHistoryScene({ trouble: () => ({ status, ...refusal && { refusal } }) }, async (scene) => {
      const report = await scene.run();
      assert.deepEqual([report.left, report.files], [0, 0]);
      await assertTruth(scene);
      const told = scene.lines().filter((line) =>
        line.includes("published files are out of reach")
      );
      assert.equal(told.length, 1);
      // Those that were in flight together.
      assert(
        scene.exchange.requests.filter(({ endpoint }) => endpoint === FILES_ENDPOINT).length <= 3,
      );
    }));
}

for (const kind of ["reset", "hang"] as const) {
  Deno.test(`an archive that does not answer (${kind}) is given up, and the API gives all`, () =>
    withHistoryScene({}, async (scene) => {
      scene.exchange.faults.add({ ...FILES, fault: { kind } });
      const report = await scene.run(kind === "hang" ? { FETCH_TIMEOUT: "1s" } : {});
      assert.deepEqual([report.left, report.files], [0, 0]);
      await assertTruth(scene);
    }));
}

Deno.test("a file that is not there is missing, however long the page that says so", () =>
  withHistoryScene({ trouble: () => ({ status: 404, refusal: LONG_PAGE }) }, async (scene) => {
    const report = await scene.run();
    assert.deepEqual([report.left, report.files], [0, 0]);
    assert.deepEqual(scene.lines().filter((line) => line.includes("a published file")), []);
    await assertTruth(scene);
  }));

Deno.test("an archive whose every answer is no checksum is told of, and asked no more in this run", () =>
  withHistoryScene(
    { trouble: () => ({ status: 200, refusal: LONG_PAGE }) },
    async (scene) => {
      const report = await scene.run({
        TIMEFRAMES: "3m,5m,15m",
        BACKFILL: "3m:120d,5m:120d,15m:120d",
      });
      assert.deepEqual([report.left, report.files], [0, 0]);
      await assertTruth(scene);
      const told = scene.lines().filter((line) =>
        line.includes("published files are out of reach")
      );
      assert.equal(told.length, 1);
      const asked = scene.exchange.requests.filter(({ endpoint }) => endpoint === FILES_ENDPOINT);
      assert(asked.length <= 5, String(asked.length));
    },
  ));

Deno.test("a connection that is cut once is tried again", () =>
  withHistoryScene({}, async (scene) => {
    scene.exchange.faults.add({ ...FILES, times: 2, fault: { kind: "reset" } });
    const report = await scene.run();
    assert.deepEqual([report.left, report.files], [0, 3]);
    await assertTruth(scene);
  }));

Deno.test("without the API no file is stored: nothing proves it", () =>
  withHistoryScene({}, async (scene) => {
    scene.exchange.faults.add({ when: { path: "klines" }, fault: { kind: "status", status: 500 } });
    const report = await scene.run({ RETRY_ATTEMPTS: "1" });
    assert.equal(report.files, 0);
    assert.deepEqual(await importsOf(scene), []);
    scene.exchange.faults.clear();
    const later = await scene.run();
    assert.deepEqual([later.left, later.files], [0, 3]);
    await assertTruth(scene);
  }));

Deno.test("a month whose file is late is asked of the API, and one that is there at the next run is a file", () =>
  withHistoryScene({
    trouble: (name) =>
      name.includes("5m-2024-02") ? { missingUntilMs: START_MS + DAY_MS } : undefined,
  }, async (scene) => {
    // Only the newest month is owed at first, and the API is down.
    const asked = { BACKFILL: "5m:44d" };
    scene.exchange.faults.add({ when: { path: "klines" }, fault: { kind: "status", status: 500 } });
    const none = await scene.run({ ...asked, RETRY_ATTEMPTS: "1" });
    assert.equal(none.files, 0);
    scene.exchange.faults.clear();
    testClock.pass(2 * DAY_MS);
    const later = await scene.run(asked);
    assert.deepEqual([later.files, scene.filesAsked()], [1, [MONTHS[0]]]);
  }));

Deno.test("a file that is issued anew stores what it adds, and keeps what is stored", () => {
  let isShort = true;
  return withHistoryScene({
    trouble: (name) =>
      name.startsWith("BTCUSDT-5m-2024-01")
        ? { rows: (rows) => isShort ? rows.slice(0, 3_000) : rows }
        : undefined,
  }, async (scene) => {
    // The API gives nothing but what proves a file.
    const fault = scene.exchange.faults.add({
      when: { path: "klines", sinceMs: Date.UTC(2024, 0, 11, 10), untilMs: Date.UTC(2024, 1) },
      fault: { kind: "status", status: 400 },
    });
    await scene.run();
    fault.remove();
    isShort = false;
    const later = await scene.run();
    assert.equal(later.left, 0);
    await assertTruth(scene);
    const january = (await importsOf(scene)).filter((one) => one.includes("2024-01"));
    assert.deepEqual(january, ["BTCUSDT-5m-2024-01.zip 64 3000", "BTCUSDT-5m-2024-01.zip 64 5928"]);
  });
});
