/** `titan10 export --dataset` into folders with links, files in the way, and manifests that are cut or gone. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { type ArchivePlace, withAnyArchivePlace } from "../support/archive_place.ts";
import { seed } from "../support/seeded.ts";
import { runInProcess } from "../support/shell.ts";

const HOURS = "timeframe=1h/exchange=binance";

interface Scene extends ArchivePlace {
  readonly dataset: string;
  export(): Promise<string>;
}

/** A dataset of two months by the hour, of which RETENTION has dropped one and a half since. */
async function withDataset(use: (scene: Scene) => Promise<void>): Promise<void> {
  await withAnyArchivePlace(async (place) => {
    await place.withDatabase((database) =>
      seed(database, [
        {
          exchange: "binance",
          symbol: "BTC/USDT",
          timeframe: "1h",
          since: "2024-01-01T00:00:00Z",
          candles: 60 * 24,
        },
      ])
    );
    const dataset = `${place.folder}/dataset`;
    const run = async (): Promise<string> =>
      (await runInProcess(["export", "--dataset", dataset], place.env)).stderr;
    assert.match(await run(), /^2 files written/);
    await place.withDatabase((database) =>
      expireCandles(database, parseTimeframe("1h"), { untilMs: Date.parse("2024-02-15T00:00Z") })
    );
    await use({ ...place, dataset, export: run });
  });
}

Deno.test("a folder of a dataset that a link has taken the place of keeps its files", () =>
  withDataset(async ({ folder, dataset, export: run }) => {
    const before = await readFiles(dataset);
    for (const [at, path] of [`${HOURS}/month=2024-01`, HOURS, "timeframe=1h"].entries()) {
      await Deno.mkdir(`${folder}/disk`, { recursive: true });
      await Deno.rename(`${dataset}/${path}`, `${folder}/disk/${at}`);
      await Deno.symlink(`${folder}/disk/${at}`, `${dataset}/${path}`);
      assert.match(await run(), /^0 files written with 0 candles, 2 unchanged\n/);
      assert.deepEqual(await readFiles(dataset), before);
    }
  }));

Deno.test("a link that leads in a circle is no file of a dataset", () =>
  withDataset(async ({ dataset, export: run }) => {
    await Deno.symlink(dataset, `${dataset}/timeframe=1h/circle`);
    assert.match(await run(), /^0 files written with 0 candles, 2 unchanged\n/);
  }));

Deno.test("what stands in the way of a dataset is named, and nothing is lost by it", () =>
  withDataset(async ({ folder, dataset, export: run }) => {
    const before = await readFiles(dataset);
    const file = `${folder}/file`;
    await Deno.writeTextFile(file, "");
    for (const flags of [[], ["--dry-run"]]) {
      const result = await runInProcess(["export", "--dataset", file, ...flags], {});
      assert.equal(result.code, 1);
      assert.equal(
        result.stderr,
        `Cannot write the dataset ${file}: it is a file. Name a folder`,
      );
    }
    const manifest = `${dataset}/_manifest.json`;
    const text = await Deno.readTextFile(manifest);
    await Deno.remove(manifest);
    await Deno.mkdir(manifest);
    assert.equal(await run(), `Cannot read ${manifest}: Is a directory`);
    await Deno.remove(manifest);
    assert.match(
      await run(),
      /it holds timeframe=1h.*, and no _manifest\.json\. Bring _manifest\.json back from a copy, or give an empty place/,
    );
    for (const length of [0, 100, text.length - 4]) {
      await Deno.writeTextFile(manifest, text.slice(0, length));
      assert.match(
        await run(),
        /^Cannot read _manifest\.json of .*: it is not JSON: .*\. Bring it back from a copy, or give another place$/,
      );
    }
    await Deno.writeTextFile(manifest, text);
    assert.match(await run(), /^0 files written with 0 candles, 2 unchanged\n/);
    assert.deepEqual(await readFiles(dataset), before);
    await Deno.writeTextFile(`${dataset}/timeframe=4h`, "");
    await Deno.remove(`${dataset}/${HOURS}/month=2024-02`, { recursive: true });
    await Deno.writeTextFile(`${dataset}/${HOURS}/month=2024-02`, "");
    assert.equal(
      await run(),
      `Cannot create ${dataset}/${HOURS}/month=2024-02: File exists`,
    );
  }));

/** The bytes of the two months, as text. */
async function readFiles(dataset: string): Promise<readonly string[]> {
  return await Promise.all(["2024-01", "2024-02"].map(async (month) => {
    const bytes = await Deno.readFile(`${dataset}/${HOURS}/month=${month}/candles.parquet`);
    return bytes.toHex();
  }));
}
