/** Backfill from the files that Binance publishes: what is stored equals the truth, whatever is wrong with a file. @module */
import assert from "node:assert/strict";
import { assertTruth, importsOf, MONTHS, withHistoryScene } from "../support/history_scene.ts";

Deno.test("whole months come from files, the rest from the API, and each file is told by its address and hash", () =>
  withHistoryScene({}, async (scene) => {
    const report = await scene.run();
    assert.equal(report.left, 0, JSON.stringify(report));
    assert.equal(report.files, 3);
    assert.deepEqual(scene.filesAsked(), MONTHS);
    await assertTruth(scene);
    assert.deepEqual(await importsOf(scene), [
      "BTCUSDT-5m-2023-12.zip 64 8928",
      "BTCUSDT-5m-2024-01.zip 64 8928",
      "BTCUSDT-5m-2024-02.zip 64 8352",
    ]);
  }));
