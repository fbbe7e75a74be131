/** `titan10 backfill`: asks once for everything that is owed, then ends. @module */
import { backfillShare } from "../fetch/backfill_share.ts";
import type { BackfillReport } from "../fetch/backfill_report.ts";
import { fetchFunding, type FundingReport } from "../fetch/funding.ts";
import { lostSymbols } from "../fetch/lost_symbols.ts";
import { bringUpToDate } from "../gap/look_through.ts";
import { type OthersOwed, readOthersOwed } from "../fetch/others_owed.ts";
import type { Archive } from "../archive/archive.ts";
import type { AskedRange } from "../archive/desire.ts";
import { seriesName } from "../market/series.ts";
import { readAllRejected } from "../store/rejected_gaps.ts";
import { rollUp } from "../upkeep/upkeep.ts";
import { asNode } from "../daemon/command_node.ts";
import { openArchive, prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import { askedRange } from "./asked_range.ts";
import { ProgressLines } from "./progress.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, duration } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** Runs a backfill. Fails if some candles could not be fetched. */
export async function backfill(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const startMs = shell.clock.now();
  const asked = askedRange(flags, { nowMs: startMs });
  const { reports, funding, problems, others } = await withArchive(ground, {
    here: async (database) => {
      await prepareDatabase(database, ground);
      const archive = await openArchive(database, ground);
      return await asNode(
        archive,
        shell,
        ({ handedOver }) => fetchAll(archive, { shell, asked, handedOver }),
      );
    },
  });
  const leftOut = reports.flatMap((report) => report.leftOut);
  for (const text of leftOut) shell.tell(printable(text));
  const seconds = (shell.clock.now() - startMs) / 1000;
  if (flags["json"] === true) {
    shell.print(JSON.stringify({ seconds, exchanges: reports, funding, problems, others }));
  } else {
    const unasked = new Set(others.flatMap((one) => one.asker === undefined ? [] : one.exchange));
    for (const report of reports) {
      if (report.pages > 0 || !unasked.has(report.exchange)) shell.print(summary(report));
    }
    for (const one of others) shell.print(printable(othersText(one)));
    for (const report of funding) {
      for (const line of fundingSummary(report)) shell.print(printable(line));
    }
    for (const problem of problems.slice(0, PROBLEMS_SHOWN_MAX)) shell.print(printable(problem));
    const more = problems.length - PROBLEMS_SHOWN_MAX;
    if (more > 0) shell.print(`and ${count(more)} more`);
    if (!shell.signal.aborted && reports.some(isIncomplete)) shell.print(goingOn(reports));
    if (others.some(({ candles }) => candles > 0)) shell.print(OTHERS_GO_ON);
    if (!shell.signal.aborted) shell.print(`done in ${duration(seconds)}`);
  }
  const isLacking = funding.some(({ left = 0, failed }) => left + failed > 0);
  const isLeft = others.some(({ candles }) => candles > 0);
  return problems.length + leftOut.length > 0 || isLacking || isLeft || reports.some(isIncomplete)
    ? EXIT.failed
    : EXIT.done;
}

interface Fetched {
  readonly reports: readonly BackfillReport[];
  readonly funding: readonly FundingReport[];
  readonly problems: readonly string[];
  readonly others: readonly OthersOwed[];
}

async function fetchAll(
  archive: Archive,
  { shell, asked, handedOver }: {
    readonly shell: Shell;
    readonly asked: AskedRange;
    readonly handedOver: () => Promise<void>;
  },
): Promise<Fetched> {
  const { config } = archive;
  const { signal } = shell;
  const nowMs = shell.clock.now();
  const progress = new ProgressLines(shell, config.exchanges);
  const reports = await backfillShare(archive, {
    signal,
    patient: false,
    awaitsFinal: true,
    asked,
    handedOver,
    onProgress: (exchange) => progress.update(exchange),
  });
  const funding = await fetchFunding(archive, { asked, signal });
  progress.end();
  await rollUp(archive, { signal });
  await bringUpToDate(archive);
  const problems = [...lostSymbols(archive), ...await nothingPassed(archive)];
  return { reports, funding, problems, others: await readOthersOwed(archive, { nowMs, asked }) };
}

/** What other nodes have of an exchange. */
function othersText({ exchange, asker, candles, symbols, nodes }: OthersOwed): string {
  const owed = `${count(candles)} candles of ${count(symbols)} ${
    symbols === 1 ? "symbol" : "symbols"
  } are`;
  if (asker !== undefined) {
    const left = candles === 0 ? "nothing is owed" : `${owed} owed`;
    return `${exchange}: not asked, because the node ${asker} asks it from the same address; ${left}`;
  }
  const names = nodes.length === 0 ? "other nodes" : `other nodes (${nodes.join(", ")})`;
  return `${exchange}: ${owed} left to ${names}`;
}

const OTHERS_GO_ON =
  "Other nodes fetch what their own BACKFILL asks for: titan10 status shows what is owed. For another range, " +
  "change their BACKFILL, or run this command when they have ended.";

/** What became of funding rates; nothing where no perpetuals are archived. */
function fundingSummary(
  { exchange, pages, added, revised, left = 0, problems }: FundingReport,
): readonly string[] {
  if (pages === 0 && problems.length === 0) return [];
  const owed = left > 0 ? `, about ${count(left)} still owed` : "";
  const again = revised > 0 ? `, ${count(revised)} revised` : "";
  const more = problems.length - PROBLEMS_SHOWN_MAX;
  return [
    `${exchange}: ${count(added)} funding rates in ${count(pages)} pages${again}${owed}`,
    ...problems.slice(0, PROBLEMS_SHOWN_MAX).map((problem) => `  ${problem}`),
    ...more > 0 ? [`  and ${count(more)} more`] : [],
  ];
}

/** What to do when candles are left owed. */
function goingOn(reports: readonly BackfillReport[]): string {
  return reports.every(({ left }) => left === undefined)
    ? "No exchange answered. Run titan10 doctor, fix what it names, then run this command again."
    : "Nothing is lost. Run this command again to fetch what is still missing.";
}

/** Whether candles are left owed that the exchange should have given, whatever happened on the way. */
function isIncomplete({ left, unloaded, problems }: BackfillReport): boolean {
  return unloaded.length > 0 || (left === undefined ? problems.length > 0 : left > 0);
}

/** `12:05:30 UTC`. */
function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)} UTC`;
}

/** The series of which rows came and none could be stored, each with the reason. */
async function nothingPassed(
  { database, exchanges }: Archive,
): Promise<readonly string[]> {
  const names = new Set(exchanges.flatMap(({ series }) => series.map(seriesName)));
  const rejected = await readAllRejected(database);
  return rejected.filter(({ series }) => names.has(seriesName(series))).map((
    { series, rows, reason },
  ) => {
    const { text } = series.timeframe;
    const why = reason === "time_not_aligned"
      ? `${reason}): this exchange opens ${text} at other times than UTC's. Leave ${text} out of TIMEFRAMES and BACKFILL`
      : `${reason}): see the table rejected_candles`;
    return `${seriesName(series)}: none of ${count(rows)} rows could be stored (${why}`;
  });
}

/** At most this many causes are printed. The log has all of them. */
const PROBLEMS_SHOWN_MAX = 5;

function summary(report: BackfillReport): string {
  const { exchange, added, revised, rejected, pages, files, left, young, finalMs } = report;
  const extras = [
    files > 0 ? ` and ${count(files)} ${files === 1 ? "file" : "files"}` : "",
    revised > 0 ? `, ${count(revised)} revised` : "",
    rejected > 0 ? `, ${count(rejected)} rejected` : "",
    left === undefined ? ", no request was possible" : "",
    left !== undefined && left > 0 ? `, ${count(left)} still owed` : "",
    finalMs === undefined
      ? ""
      : `, ${count(young)} stored that may change until ${timeText(finalMs)}: still owed then`,
  ].join("");
  const lines = [`${exchange}: ${count(added)} candles in ${count(pages)} pages${extras}`];
  for (const text of report.replaced) lines.push(`  ${printable(text)}`);
  if (isIncomplete(report)) {
    const problems = [...report.unloaded, ...report.problems];
    for (const problem of problems.slice(0, PROBLEMS_SHOWN_MAX)) {
      lines.push(`  ${printable(problem)}`);
    }
    const more = problems.length - PROBLEMS_SHOWN_MAX;
    if (more > 0) lines.push(`  and ${more} more`);
    if (problems.length === 0) {
      lines.push("  The exchange answered, but without these candles.");
    }
  }
  return lines.join("\n");
}
