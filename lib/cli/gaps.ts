/** `titan10 gaps`: holes inside coverage, each with its state or reason. @module */
import { refreshMarkets } from "../fetch/markets.ts";
import { repairGaps } from "../gap/repair.ts";
import { type Ground, openArchive, prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import { type GapsDocument, readGapsDocument } from "../serve/gap_list.ts";
import type { Database } from "../store/connection/database.ts";
import { askDaemon } from "./control.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, minute, table } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** Prints the gaps, after asking for those that are due with `--repair`. */
export async function gaps(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const repairs = flags["repair"] === true;
  return await withArchive<ExitCode>(ground, {
    here: async (database) => {
      await prepareDatabase(database, ground);
      const problems = repairs ? await repair(shell, ground, database) : [];
      print(shell, flags, await readGapsDocument(database));
      for (const problem of problems) shell.tell(printable(problem));
      return problems.length === 0 ? EXIT.done : EXIT.failed;
    },
    daemon: async () => {
      if (repairs) {
        shell.tell(
          "The daemon holds the database, and repairs gaps itself whenever GAPS_CRON says so.",
        );
        return EXIT.failed;
      }
      print(shell, flags, await askDaemon(ground.config.dataDir, "/gaps") as GapsDocument);
      return EXIT.done;
    },
  });
}

/** Repairs once; returns why exchanges could not be asked. */
async function repair(
  shell: Shell,
  ground: Ground,
  database: Database,
): Promise<readonly string[]> {
  const { signal } = shell;
  const archive = await openArchive(database, ground);
  const problems: string[] = [];
  await Promise.all(archive.exchanges.map(async (exchange) => {
    try {
      await refreshMarkets(archive, exchange, { signal });
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }));
  const { found, asked, filled, concluded } = await repairGaps(archive, { signal });
  shell.tell(
    `${count(found)} found, ${count(asked)} asked for, ${count(filled)} filled, ${
      count(concluded)
    } explained`,
  );
  return problems;
}

function print(shell: Shell, flags: Flags, document: GapsDocument): void {
  if (flags["json"] === true) shell.print(JSON.stringify(document));
  else shell.print(render(document));
}

/** The gaps for people, within 80 columns, and their sum by state. */
function render({ gaps }: GapsDocument): string {
  if (gaps.length === 0) return "no gaps";
  const rows = table(
    ["SERIES", "SINCE", "MISSING", "STATE", "ASKED", "NEXT"],
    gaps.map((gap) => [
      printable(`${gap.exchange} ${gap.symbol} ${gap.timeframe}`),
      minute(gap.since),
      count(gap.missing),
      gap.state,
      String(gap.attempts),
      gap.nextTry === null ? "–" : gap.nextTry.slice(11, 16),
    ]),
    { numeric: [2, 4] },
  );
  const sums = [...Map.groupBy(gaps, ({ state }) => state)].map(([state, group]) => {
    const missing = group.reduce((total, gap) => total + gap.missing, 0);
    return `${state}: ${count(missing)} candles in ${count(group.length)} ${
      group.length === 1 ? "gap" : "gaps"
    }`;
  });
  return [rows, "", ...sums].join("\n");
}
