/** The job `dataset`: brings the dataset of DATASET_URL up to date. @module */
import type { Archive } from "../archive/archive.ts";
import type { Job } from "../archive/job.ts";
import { VERSION } from "../version.ts";
import { exportDataset } from "./dataset_export.ts";
import { datasetPages } from "./dataset_source.ts";
import { openPlace } from "./open_place.ts";

/** All that is archived: a dataset of a part is made by `titan10 export --dataset`. */
const ALL = { exchanges: [], symbols: [], timeframes: [], sinceMs: null, untilMs: null };

/** Reads the archive in short statements, one after the other, so that polls do not wait for it. */
export function datasetJob(archive: Archive): Job {
  return {
    name: "dataset",
    get cron() {
      const { datasetUrl, datasetCron } = archive.config;
      return datasetUrl === undefined ? undefined : datasetCron;
    },
    mayOverlap: false,
    isQuiet: true,
    isLeaders: true,
    runOnce: async (signal) => {
      const { config: { datasetUrl }, database, clock } = archive;
      if (datasetUrl === undefined) return {};
      await using place = await openPlace(datasetUrl, { ...archive, signal });
      const { written, retold, removed, rows } = await exportDataset({
        place,
        source: (request) => datasetPages(database, request),
        clock,
        signal,
        choice: ALL,
        numbers: "double",
        program: `titan10 ${VERSION}`,
        isDryRun: false,
      });
      return {
        written: written.length,
        retold: retold.length,
        removed: removed.length,
        candles: rows,
      };
    },
  };
}
