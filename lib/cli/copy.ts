/** `titan10 copy`: copies the embedded archive to a server. @module */
import type { Command } from "@commander-js/extra-typings";
import { secretsOf } from "../config/secrets.ts";
import { copyArchive, type CopyReport } from "../transfer/archive_copy.ts";
import { migrate, type MigrateReport, readMigrations } from "../store/connection/migrations.ts";
import { holdsDatabase } from "../store/connection/data_dir.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { count, duration, wrap } from "./text.ts";
import { withArchive } from "./with_archive.ts";

const HELP = `
Copies the embedded archive in DATA_DIR to an empty database on a server:
candles, coverage, gaps, revisions, rejected candles, imports and what was
learned about exchanges. Without --to the target is DATABASE_URL or the URL in
the file DATABASE_URL_FILE, where other users cannot read the password.

Stop the daemon first. If a copy is interrupted, run the same command again: it
continues. Until the copy is complete, no daemon can use it. At the end the
totals of every series are compared. The embedded archive is not changed.

Rollups are not copied but calculated again. Candles that RETENTION has dropped
and only rollups still have stay in the embedded archive.`;

/** Adds the command's options and its action. */
export function makeCopy(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .option("--to <url>", "URL of the target database, postgres://user@host/database")
    .option("--json", "print JSON")
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, ["DATA_DIR", "DB_POOL_MAX", "LOG_LEVEL"]);
  command.action((flags: unknown) =>
    perform(() => copy(shell, flags as CopyFlags & Flags, command))
  );
}

interface CopyFlags {
  readonly to?: string;
  readonly json?: true;
}

async function copy(
  shell: Shell,
  flags: CopyFlags & Flags,
  command: { error(message: string, options: { exitCode: number }): never },
): Promise<ExitCode> {
  // Keep all permissions: the embedded database is written to until the end, whatever the server's address is.
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    forced: flags.to === undefined ? {} : { DATABASE_URL: flags.to },
    keepsPermissions: true,
  });
  const { databaseUrl: url, dataDir } = ground.config;
  if (url === undefined) {
    command.error("error: set --to or DATABASE_URL to the server to copy to", {
      exitCode: EXIT.usage,
    });
  }
  if (flags.to !== undefined && secretsOf({ DATABASE_URL: flags.to }).length > 0) {
    shell.tell(
      "Every user of this machine can read the password in --to, for example by ps. Set PGPASSWORD " +
        "to it, or DATABASE_URL_FILE to a file that holds the whole URL",
    );
  }
  const startMs = shell.clock.now();
  await requireEmbedded(dataDir);
  const embedded = {
    ...ground,
    config: { ...ground.config, databaseUrl: undefined, dbPoolMax: 1 },
  };
  const { report, migrated } = await withArchive(embedded, {
    here: (source) =>
      withArchive(ground, {
        here: async (target) => {
          const migrations = await readMigrations();
          await migrate(source, migrations);
          const migrated = await migrate(target, migrations);
          const report = await copyArchive({ source, target }, {
            ...ground,
            signal: shell.signal,
            targetName: nameOf(url!),
            onProgress: progress(shell),
          });
          const text = `An embedded archive of ${count(report.series)} series was copied here`;
          ground.events?.note({ kind: "copied", candles: report.candles, text });
          return { report, migrated };
        },
      }),
    daemon: (held) =>
      Promise.reject(
        new Error(
          `Cannot copy: the daemon holds ${dataDir}, and what it wrote during the copy would be lost. Stop the daemon first`,
          { cause: held },
        ),
      ),
  });
  if (shell.canRedraw) shell.draw([]);
  const seconds = (shell.clock.now() - startMs) / 1000;
  if (flags.json === true) shell.print(JSON.stringify({ seconds, ...report }));
  else {
    const told = { seconds, dataDir, to: nameOf(url!), migrated, columns: shell.columns };
    shell.print(summary(report, told));
  }
  return EXIT.done;
}

/** @throws Error when there is no embedded archive. */
async function requireEmbedded(dataDir: string): Promise<void> {
  if (await holdsDatabase(dataDir)) return;
  throw new Error(
    `Cannot copy: there is no embedded archive in ${dataDir}. Set DATA_DIR to the directory of the archive`,
  );
}

/** The URL without user, password and parameters, which may be secret. */
function nameOf(url: string): string {
  return url.replace(/\?.*$/, "").replace(/^(\w+:\/\/).*@/, "$1");
}

/** Seconds between two progress lines when there is no terminal to draw on. */
const QUIET_S = 10;

function progress(shell: Shell): (copied: number, candles: number) => void {
  let toldMs = shell.clock.now();
  return (copied, candles) => {
    const text = `${count(copied)} of ${count(candles)} candles`;
    if (shell.canRedraw) return shell.draw([text]);
    if (shell.clock.now() - toldMs < QUIET_S * 1000) return;
    toldMs = shell.clock.now();
    shell.tell(text);
  };
}

interface Told {
  readonly seconds: number;
  readonly dataDir: string;
  readonly to: string;
  readonly migrated: MigrateReport;
  /** The width of the terminal. */
  readonly columns: number;
}

function summary(report: CopyReport, { seconds, dataDir, to, migrated, columns }: Told): string {
  const { rows } = report;
  const found = report.found === 0 ? "" : `, ${count(report.found)} of them before`;
  const ledger = Object.entries(rows).filter(([, number]) => number > 0);
  const sentences = [
    `Candle counts and totals are the same in ${to} (${duration(seconds)}).`,
    ...(migrated.timescaledb === null
      ? [`TimescaleDB is not used there: ${migrated.plainReason ?? "it is not used"}.`]
      : []),
    ...report.leftBehind.map((view) =>
      `Not copied: candles that RETENTION has dropped and only ${view} still has.`
    ),
    `From now on, start the daemon with this DATABASE_URL. ${dataDir} is unchanged.`,
  ];
  return [
    `${count(report.candles)} candles of ${count(report.series)} series copied${found}`,
    ...ledger.map(([table, number]) => `  ${table.padEnd(18)} ${count(number).padStart(10)} rows`),
    ...sentences.flatMap((sentence) => wrap(sentence, columns)),
  ].join("\n");
}
