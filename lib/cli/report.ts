/** `titan10 report`: one page on the quality of an archive, as text, HTML or JSON. @module */
import { type Command, Option } from "@commander-js/extra-typings";
import { newestCandlesMax } from "../exchange/limits.ts";
import type { Report, ReportRequest, ReportStep } from "../report/document.ts";
import { makeReport } from "../report/quality.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { durationFlag } from "./duration_flag.ts";
import { nameFlag } from "./name_flag.ts";
import { renderReportPage } from "./report_page.ts";
import { renderReport } from "./report_view.ts";
import { addSettingFlags, type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Perform, type Shell } from "./shell.ts";
import { painter } from "./terminal.ts";
import { cut } from "./text.ts";
import { timeFlag } from "./time_flag.ts";
import { pagesOfArchive } from "./with_archive.ts";
import { writeOutput } from "./written_output.ts";

const HELP = `
How much of what is wanted is there, why the rest is not, which candles were
revised or rejected, and which prices lie apart from those of the other
exchanges. It is made from what is stored: no exchange is asked, and nothing is
written. The exit code is 0 also when candles are missing.

Prices are compared at moments that at least three exchanges have: symbols that
are spelled alike, coarse timeframes first, newest candles first. An archive of
years takes longer than --timeout: the report says how far it came.

While the daemon uses the embedded database, it makes the report.`;

/** The comparison of prices ends after this time. Reading the ledger and the gaps takes seconds. */
const TIMEOUT_MS = 60_000;

/** Adds the command's options and its action. */
export function makeReportCommand(empty: Command, shell: Shell, perform: Perform): void {
  const command = empty
    .addOption(
      new Option("--html <file>", "write a page to print or to send; - is standard output")
        .conflicts("json"),
    )
    .option("--json", "print JSON")
    .option("--exchanges <ids>", "only these, separated by commas", nameFlag)
    .option("--symbols <symbols>", "only these, separated by commas", nameFlag)
    .option("--timeframes <timeframes>", "only these, separated by commas", nameFlag)
    .option("--since <time>", "from this time on: 2024-01-31 or 2024-01-31T12:00Z", timeFlag)
    .option("--until <time>", "up to this time, which is left out itself", timeFlag)
    .addOption(
      new Option(
        "--timeout <duration>",
        "ends the comparison of prices, 90s or 10m (default: 60s)",
      ).argParser(durationFlag),
    )
    .addHelpText("after", HELP);
  addSettingFlags(command as unknown as Command, ["DATA_DIR", "LOG_LEVEL"]);
  command.action((flags: unknown) => perform(() => report(shell, flags as ReportFlags & Flags)));
}

interface ReportFlags {
  readonly html?: string;
  readonly json?: true;
  readonly exchanges?: readonly string[];
  readonly symbols?: readonly string[];
  readonly timeframes?: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly timeout?: number;
}

async function report(shell: Shell, flags: ReportFlags & Flags): Promise<ExitCode> {
  const request: ReportRequest = {
    exchanges: flags.exchanges ?? [],
    symbols: flags.symbols ?? [],
    timeframes: flags.timeframes ?? [],
    sinceMs: flags.since ?? null,
    untilMs: flags.until ?? null,
    timeoutMs: flags.timeout ?? TIMEOUT_MS,
  };
  const { html } = flags;
  if (html === undefined) {
    const made = await read(shell, flags, request);
    if (flags.json === true) shell.print(JSON.stringify(made));
    else shell.print(renderReport(made, { paint: painter(shell.hasPrintColor) }));
    return EXIT.done;
  }
  const isMade = await writeOutput(shell, html, async (output) => {
    const made = await read(shell, flags, request);
    await output.write(new TextEncoder().encode(renderReportPage(made)));
    return true;
  });
  if (isMade === true && html !== "-") shell.tell(`The report is in ${html}`);
  return EXIT.done;
}

/** The report, from the database or from the daemon that holds it. Shows on a terminal what is being done. */
async function read(shell: Shell, flags: Flags, request: ReportRequest): Promise<Report> {
  const { signal } = shell;
  const ground = await readGround(shell, flags, {
    logLevelDefault: "error",
    keepsPermissions: true,
  });
  const { config, clock } = ground;
  const steps = pagesOfArchive<ReportStep>(ground, {
    here: async function* (database): AsyncGenerator<ReportStep, void> {
      await requireArchive(database);
      yield* makeReport(database, { config, clock, newestCandlesMax, request });
    },
    path: "/report",
    asked: request,
    signal,
  });
  try {
    for await (const step of steps) {
      signal.throwIfAborted();
      if ("report" in step) return step.report;
      if (shell.canRedraw) shell.draw([cut(step.doing, shell.columns - 1)]);
    }
  } finally {
    if (shell.canRedraw) shell.draw([]);
  }
  throw new Error("Cannot report: the daemon's answer ended before the report");
}
