/** `titan10 doctor`: reports what is wrong and how to fix it. @module */
import { ConfigError } from "../config/config.ts";
import type { Known } from "../archive/capability.ts";
import type { Check } from "../doctor/check.ts";
import {
  brokenOff,
  type Checkup,
  configurationFaults,
  databaseFault,
  examine,
  examineDatabase,
  settingChecks,
} from "../doctor/checkup.ts";
import type { CapabilityEntry } from "../doctor/capability_entries.ts";
import { type Ground, openArchive, prepareDatabase } from "../daemon/open_archive.ts";
import { probePlace } from "../transfer/dataset_probe.ts";
import { printable } from "../text/printable.ts";
import type { Database } from "../store/connection/database.ts";
import { pendingMigrations, readMigrations } from "../store/connection/migrations.ts";
import { StoreError } from "../store/connection/store_error.ts";
import { askDaemon } from "./control.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { type Paint, painter } from "./terminal.ts";
import { count, table, wrap } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** Prints the checkup. It is made here, or by the daemon that holds the database. */
export async function doctor(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const { config } = ground;
  const document = await withArchive(ground, {
    here: (database) => checkup(shell, ground, database),
    daemon: async () => await askDaemon(config.dataDir, "/doctor") as Checkup,
  }).catch((error): Checkup => {
    if (!(error instanceof StoreError)) throw error;
    const fault = databaseFault(error, config.databaseUrl === undefined ? "embedded" : "server");
    return brokenOff([...settingChecks(ground), fault]);
  });
  // What was not asked any more would pass for what is wrong.
  shell.signal.throwIfAborted();
  const isJson = flags["json"] === true;
  shell.print(
    isJson ? JSON.stringify(document) : render(document, painter(shell.hasPrintColor)),
  );
  return document.ok ? EXIT.done : EXIT.failed;
}

async function checkup(shell: Shell, ground: Ground, database: Database): Promise<Checkup> {
  const migrations = await readMigrations();
  const settings = settingChecks(ground);
  try {
    const pending = await pendingMigrations(database, migrations);
    // An empty database is set up, as any other first command would do. A running daemon may use an older schema, so
    // only `titan10 migrate` changes it.
    if (pending.length > 0 && pending.length < migrations.length) {
      return brokenOff([...settings, ...await examineDatabase(database, migrations)]);
    }
    await prepareDatabase(database, ground, migrations);
    const archive = await openArchive(database, ground);
    return await examine(archive, { migrations, probePlace, signal: shell.signal });
  } catch (error) {
    if (error instanceof StoreError) {
      return brokenOff([...settings, databaseFault(error, database.kind)]);
    }
    if (!(error instanceof ConfigError)) throw error;
    const checks = await examineDatabase(database, migrations);
    return brokenOff([...configurationFaults(error), ...checks]);
  }
}

/** The checkup as text of at most 80 columns. */
export function render(
  { ok, checks, exchanges }: Checkup,
  paint: Paint = painter(false),
): string {
  const linesOf = (check: Check): readonly string[] => checkLines(check, paint);
  const lines = checks.flatMap(linesOf);
  for (const { exchange, checks, capabilities } of exchanges) {
    lines.push("", printable(exchange));
    for (const check of checks) lines.push(linesOf(check).join("\n"));
    lines.push(capabilityTable(capabilities).replace(/^/gm, "  "));
  }
  if (exchanges.length === 0) lines.push("", "No exchange was checked: fix this first.");
  const wrong = [...checks, ...exchanges.flatMap(({ checks }) => checks)].filter(({ ok }) => !ok);
  const sum = wrong.length === 1 ? "One thing is wrong." : `${wrong.length} things are wrong.`;
  lines.push("", ok ? "Nothing is wrong." : sum);
  return lines.join("\n");
}

const COLUMNS = 80;

/** Columns before a check's message. */
const MARK_COLUMNS = 7;
const NAME_COLUMNS = 15;

function checkLines(
  { check, ok, isHint = false, message }: Check,
  paint: Paint,
): readonly string[] {
  const mark = ok ? isHint ? "hint" : "ok" : "WRONG";
  const color = ok ? isHint ? "yellow" : "green" : "red";
  const indent = MARK_COLUMNS + NAME_COLUMNS;
  return wrap(printable(message), COLUMNS - indent).map((line, index) =>
    index === 0
      ? paint(color, mark.padEnd(MARK_COLUMNS)) + check.padEnd(NAME_COLUMNS) + line
      : " ".repeat(indent) + line
  );
}

function capabilityTable(capabilities: readonly CapabilityEntry[]): string {
  // Where all are spot, which most archives are, there is nothing to tell apart.
  const isMixed = capabilities.some(({ market }) => market !== "spot");
  return table(
    [...(isMixed ? ["MARKETS"] : []), "TIMEFRAME", "PAGE", "SINCE", "HISTORY", "SILENT", "SOURCE"],
    capabilities.map((
      { market, timeframe, pageRows, sinceHonoured, newestCandles, omitsSilent },
    ) => [
      ...(isMixed ? [market] : []),
      printable(timeframe),
      count(pageRows.value),
      choice(sinceHonoured, { yes: "yes", no: "no" }),
      newestCandles === null ? "no end seen" : `newest ${count(newestCandles.value)}`,
      choice(omitsSilent, { yes: "omitted", no: "flat" }),
      sourcesOf([pageRows, sinceHonoured, newestCandles, omitsSilent]),
    ]),
    { numeric: [isMixed ? 2 : 1] },
  );
}

function choice(
  known: Known<boolean> | null,
  words: { readonly yes: string; readonly no: string },
): string {
  if (known === null) return "?";
  return known.value ? words.yes : words.no;
}

function sourcesOf(known: readonly (Known<unknown> | null)[]): string {
  return [...new Set(known.flatMap((value) => value === null ? [] : [value.source]))].join(", ");
}
