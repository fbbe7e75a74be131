/** `titan10 status`: what the archive holds and lacks. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { openConfigured } from "../open_archive.ts";
import { printable } from "../printable.ts";
import { readStatus, type Status } from "../serve/status.ts";
import { readStorageDocument, type StorageDocument } from "../serve/storage.ts";
import { DataDirHeldError } from "../store/data_dir.ts";
import type { Database } from "../store/database.ts";
import { pendingMigrations, readMigrations } from "../store/migrate.ts";
import { askDaemon } from "./control.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { renderStorage } from "./storage_table.ts";
import { count, minute, table } from "./text.ts";

/** The status, and with `--storage` what the candle tables take. */
type StatusReport = Status & Partial<StorageDocument>;

/** Prints the status, from the database or from the daemon that holds it. */
export async function status(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const { config, clock } = ground;
  const withStorage = flags["storage"] === true;
  let database: Database;
  try {
    database = await openConfigured(ground);
  } catch (error) {
    if (!(error instanceof DataDirHeldError)) throw error;
    const document = await askDaemon(config.dataDir, "/status") as Status;
    const storage = withStorage
      ? await askDaemon(config.dataDir, "/storage") as StorageDocument
      : {};
    print(shell, flags, { ...document, ...storage });
    return EXIT.done;
  }
  try {
    const pending = await pendingMigrations(database, await readMigrations());
    if (pending.length > 0) {
      shell.tell(
        `There is no archive in this database yet: ${
          pending.join(", ")
        } not applied. Run titan10 migrate`,
      );
      return EXIT.failed;
    }
    const document = await readStatus({
      config,
      database,
      nowMs: clock.now(),
      newestCandlesMax,
    });
    const storage = withStorage ? await readStorageDocument(database, { nowMs: clock.now() }) : {};
    print(shell, flags, { ...document, ...storage });
    return EXIT.done;
  } finally {
    await database.close();
  }
}

function print(shell: Shell, flags: Flags, document: StatusReport): void {
  if (flags["json"] === true) {
    shell.print(JSON.stringify(document));
    return;
  }
  shell.print(render(document));
  const { storage } = document;
  if (storage !== undefined) shell.print(`\n${renderStorage({ storage })}`);
}

/** The document for people, within 80 columns. */
export function render(document: Status): string {
  const { version, startedAt, database, exchanges, series, jobs } = document;
  const daemon = startedAt === null ? "" : `, daemon up since ${minute(startedAt)}`;
  const extension = database.timescaledb === null
    ? "plain PostgreSQL"
    : `TimescaleDB ${database.timescaledb}`;
  const lines = [`titan10 ${version}, ${database.kind} database, ${extension}${daemon}`, ""];
  lines.push(table(
    ["SERIES", "CANDLES", "FIRST", "LAST", "OWED", "MISSING"],
    series.map((row) => [
      printable(`${row.exchange} ${row.symbol} ${row.timeframe}`),
      count(row.candles),
      row.first?.slice(0, 10) ?? "–",
      minute(row.last),
      count(row.owed),
      count(row.missing),
    ]),
    { numeric: [1, 4, 5] },
  ));
  if (series.length === 0) lines.push("no series yet");
  lines.push(
    "",
    table(
      ["EXCHANGE", "BREAKER", "BANNED UNTIL"],
      exchanges.map((row) => [row.exchange, row.breaker, minute(row.bannedUntil)]),
    ),
  );
  if (jobs.length > 0) {
    lines.push(
      "",
      table(
        ["JOB", "LAST START", "LAST SUCCESS", "OUTCOME"],
        jobs.map((
          row,
        ) => [row.job, minute(row.lastStart), minute(row.lastSuccess), row.lastOutcome ?? "–"]),
      ),
    );
  }
  const errors = [
    ...exchanges.filter(({ lastError }) => lastError !== null).map((row) =>
      `${row.exchange}: ${row.lastError}`
    ),
    ...series.filter(({ lastError }) => lastError !== null).map((row) =>
      `${row.exchange} ${row.symbol} ${row.timeframe}: ${row.lastError}`
    ),
  ];
  const ended = series.filter(({ endedWhy }) => endedWhy !== null).map((row) =>
    `${row.exchange} ${row.symbol} ${row.timeframe}: ${row.endedWhy} since ${minute(row.endedAt)}`
  );
  if (ended.length > 0) lines.push("", "ENDED", ...ended.map((text) => `  ${printable(text)}`));
  if (errors.length > 0) {
    lines.push(
      "",
      "LAST ERRORS",
      ...errors.map((text) => `  ${printable(text)}`),
    );
  }
  return lines.join("\n");
}
