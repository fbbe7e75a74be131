/** `titan10 status`: prints what the archive holds and what is missing. @module */
import { ConfigError } from "../config/config.ts";
import { newestCandlesMax } from "../exchange/limits.ts";
import { readStatus, type Status } from "../serve/status.ts";
import { readStorageDocument, type StorageDocument } from "../serve/storage_report.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { askDaemon } from "./control.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { renderStatus } from "./status_view.ts";
import { renderStorage } from "./storage_table.ts";
import { filterOf, type SeriesFilter, unknownOf } from "./series_filter.ts";
import { painter } from "./terminal.ts";
import { watchStatus } from "./watch.ts";
import { withArchive } from "./with_archive.ts";

/** The status, and with `--storage` the sizes of the candle tables. */
type StatusReport = Status & Partial<StorageDocument>;

/** Prints the status, from the database or from the daemon that holds it. */
export async function status(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const { config, clock } = ground;
  const filter = filterOf(flags, config);
  const withStorage = flags["storage"] === true;
  if (flags["watch"] === true) {
    if (withStorage) {
      throw new ConfigError([{
        variable: "--storage",
        value: "--watch",
        allowed: "allowed together with --watch: use one of the two",
      }]);
    }
    return await watchStatus(shell, ground, {
      isJson: flags["json"] === true,
      problemOf: ({ series }) => unknownOf(series, filter),
      shown: (document) => shownBy(filter, document),
    });
  }
  const document = await withArchive<StatusReport>(ground, {
    mustExist: true,
    here: async (database) => {
      await requireArchive(database);
      const nowMs = clock.now();
      const document = await readStatus({ config, database, nowMs, newestCandlesMax });
      const storage = withStorage ? await readStorageDocument(database, { nowMs }) : {};
      return { ...document, ...storage };
    },
    daemon: async () => {
      const document = await askDaemon(config.dataDir, "/status") as Status;
      const storage = withStorage
        ? await askDaemon(config.dataDir, "/storage") as StorageDocument
        : {};
      return { ...document, ...storage };
    },
  });
  const problem = unknownOf(document.series, filter);
  if (problem !== undefined) throw new Error(problem);
  print(shell, flags, shownBy(filter, document));
  return EXIT.done;
}

/** The part of a status that a filter lets through. */
function shownBy<Document extends Status>(filter: SeriesFilter, document: Document): Document {
  const alerts = document.alerts.filter(({ exchange, symbol }) =>
    symbol === null ? filter.passesExchange(exchange) : filter.passes({ exchange, symbol })
  );
  return {
    ...document,
    exchanges: document.exchanges.filter(({ exchange }) => filter.passesExchange(exchange)),
    series: document.series.filter((row) => filter.passes(row)),
    funding: document.funding.filter((row) => filter.passes(row)),
    alerts,
    alertsFiring: document.alertsFiring - document.alerts.length + alerts.length,
    events: document.events.filter(({ exchange }) =>
      exchange === null ? filter.exchanges === undefined : filter.passesExchange(exchange)
    ),
  };
}

function print(shell: Shell, flags: Flags, document: StatusReport): void {
  if (flags["json"] === true) {
    shell.print(JSON.stringify(document));
    return;
  }
  shell.print(renderStatus(document, {
    nowMs: shell.clock.now(),
    columns: Math.max(80, shell.screen?.columns ?? 80),
    paint: painter(shell.hasPrintColor),
  }));
  const { storage } = document;
  if (storage !== undefined) shell.print(`\n${renderStorage({ storage })}`);
}
