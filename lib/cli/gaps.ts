/** `titan10 gaps`: lists the gaps inside coverage, each with its state or reason. @module */
import { newsOf } from "../archive/markets_in_force.ts";
import { lostSymbols } from "../fetch/lost_symbols.ts";
import { refreshMarkets } from "../fetch/markets.ts";
import { repairGaps } from "../gap/repair.ts";
import type { Unasked } from "../gap/unasked.ts";
import { seriesName } from "../market/series.ts";
import { type Ground, openArchive, prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import {
  type FundingGapEntry,
  type GapEntry,
  readFundingGapEntries,
  readGapEntries,
} from "../serve/gap_list.ts";
import type { Database } from "../store/connection/database.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { refuseHalfCopy } from "../store/copy.ts";
import type { Status } from "../serve/status.ts";
import { readCheckpoints } from "../store/ledger.ts";
import { hasLiveDaemon } from "../store/lease_holders.ts";
import { askDaemon, streamDaemon } from "./control.ts";
import { fundingGapLines } from "./funding_table.ts";
import { filterOf, type NamedSeries, type SeriesFilter, unknownOf } from "./series_filter.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, minute, tableLayout } from "./text.ts";
import { withArchive } from "./with_archive.ts";
import { errorText } from "../text/redact.ts";

/** Prints the gaps. With `--repair`, first asks exchanges for those that are due. */
export async function gaps(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "error" });
  const repairs = flags["repair"] === true;
  const filter = filterOf(flags, ground.config);
  const shown = async (
    { pages, funding }: AllPages,
    series: readonly NamedSeries[],
  ): Promise<void> => {
    const problem = unknownOf(series, filter);
    if (problem !== undefined) throw new Error(problem);
    await print(shell, flags, {
      pages: filtered(pages, filter),
      funding: filtered(funding, filter),
    });
  };
  return await withArchive<ExitCode>(ground, {
    mustExist: true,
    here: async (database) => {
      let problems: readonly string[] = [];
      if (repairs) {
        await prepareDatabase(database, ground);
        if (await hasLiveDaemon(database)) return refuseRepair(shell);
        problems = await repair(shell, ground, database);
      } else {
        await requireArchive(database);
        await refuseHalfCopy(database);
      }
      const checkpoints = await readCheckpoints(database);
      await shown({
        pages: readGapEntries(database),
        funding: readFundingGapEntries(database),
      }, checkpoints.map(({ series }) => series));
      for (const problem of problems) shell.tell(printable(problem));
      return problems.length === 0 ? EXIT.done : EXIT.failed;
    },
    daemon: async () => {
      if (repairs) return refuseRepair(shell);
      const { dataDir } = ground.config;
      const pages = streamDaemon(dataDir, "/gaps", { asked: {} });
      const funding = streamDaemon(dataDir, "/gaps", { asked: { what: "funding" } });
      const { series } = await askDaemon(dataDir, "/status") as Status;
      await shown({ pages, funding } as AllPages, series);
      return EXIT.done;
    },
  });
}

/** Two that ask at full pace from one address may be banned. */
function refuseRepair(shell: Shell): ExitCode {
  shell.tell(
    "Cannot repair gaps while the daemon uses the database. The daemon repairs them itself, at the times of GAPS_CRON.",
  );
  return EXIT.failed;
}

/** Repairs once. Returns why exchanges could not be asked. */
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
      const { replaced, unloaded } = newsOf(await refreshMarkets(archive, exchange, { signal }));
      for (const text of replaced) shell.tell(printable(`${exchange.id}: ${text}`));
      for (const problem of unloaded) problems.push(problem);
    } catch (error) {
      problems.push(errorText(error));
    }
  }));
  const unasked: Unasked[] = [];
  const { found, asked, filled, concluded } = await repairGaps(archive, {
    signal,
    onUnasked: (one) => unasked.push(one),
  });
  for (const problem of unaskedProblems(unasked)) problems.push(problem);
  for (const problem of lostSymbols(archive)) problems.push(problem);
  shell.tell(
    `${count(found)} found, ${count(asked)} asked for, ${count(filled)} filled, ${
      count(concluded)
    } explained`,
  );
  return problems;
}

/** One sentence for each reason why something was not asked for. */
function unaskedProblems(unasked: readonly Unasked[]): readonly string[] {
  const groups = Map.groupBy(
    unasked,
    ({ series, error }) => `${series.exchange} ${errorText(error)}`,
  );
  return [...groups.values()].map((group) => {
    const gaps = group.reduce((sum, one) => sum + one.gaps, 0);
    const names = [...new Set(group.map(({ series }) => seriesName(series)))];
    const more = names.length > NAMED_MAX
      ? ` and ${count(names.length - NAMED_MAX)} more series`
      : "";
    const what = gaps === 0 ? "The start" : `${count(gaps)} ${gaps === 1 ? "gap" : "gaps"}`;
    return `${what} of ${names.slice(0, NAMED_MAX).join(", ")}${more} could not be asked for: ${
      errorText(group[0]?.error)
    }`;
  });
}

/** At most this many series are named in one sentence. */
const NAMED_MAX = 3;

type GapPage = readonly GapEntry[];

/** Gaps of candles, and where funding rates are missing. */
interface AllPages {
  readonly pages: AsyncGenerator<GapPage, void>;
  readonly funding: AsyncGenerator<readonly FundingGapEntry[], void>;
}

async function* filtered<Entry extends NamedSeries>(
  pages: AsyncGenerator<readonly Entry[], void>,
  filter: SeriesFilter,
): AsyncGenerator<readonly Entry[], void> {
  for await (const page of pages) {
    const left = page.filter((gap) => filter.passes(gap));
    if (left.length > 0) yield left;
  }
}

/** Prints gaps while they are read, because they may not all fit into memory. */
async function print(
  shell: Shell,
  flags: Flags,
  all: AllPages,
): Promise<void> {
  const encoder = new TextEncoder();
  const lines = flags["json"] === true ? jsonDocument(all) : allLines(all);
  try {
    for await (const text of lines) {
      shell.signal.throwIfAborted();
      shell.write(encoder.encode(text));
    }
  } catch (error) {
    // The reader closed the pipe, because it has read enough.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** One document, `{"gaps":[…],"funding":[…]}`, with one gap per line. */
async function* jsonDocument({ pages, funding }: AllPages): AsyncGenerator<string, void> {
  yield '{"gaps":[';
  yield* jsonEntries(pages);
  yield '\n],"funding":[';
  yield* jsonEntries(funding);
  yield "\n]}\n";
}

async function* jsonEntries(
  pages: AsyncGenerator<readonly unknown[], void>,
): AsyncGenerator<string, void> {
  let before = "\n";
  for await (const page of pages) {
    yield before + page.map((gap) => JSON.stringify(gap)).join(",\n");
    before = ",\n";
  }
}

async function* allLines({ pages, funding }: AllPages): AsyncGenerator<string, void> {
  yield* tableLines(pages);
  yield* fundingGapLines(funding);
}

const HEAD = ["SERIES", "SINCE", "MISSING", "STATE", "ASKED", "NEXT"];

/** The gaps as a table of at most 80 columns, then their sums by state. */
async function* tableLines(pages: AsyncGenerator<GapPage, void>): AsyncGenerator<string, void> {
  const sums = new Map<string, { gaps: number; candles: number }>();
  let layout: ReturnType<typeof tableLayout> | undefined;
  for await (const page of pages) {
    const rows = page.map(rowOf);
    if (layout === undefined) {
      layout = tableLayout(HEAD, rows, { numeric: [2, 4] });
      yield `${layout([HEAD])}\n`;
    }
    yield `${layout(rows)}\n`;
    for (const { state, missing } of page) {
      const sum = sums.get(state) ?? { gaps: 0, candles: 0 };
      sums.set(state, { gaps: sum.gaps + 1, candles: sum.candles + missing });
    }
  }
  if (layout === undefined) return yield "no gaps\n";
  yield "\n";
  for (const [state, { gaps, candles }] of sums) {
    yield `${state}: ${count(candles)} candles in ${count(gaps)} ${gaps === 1 ? "gap" : "gaps"}\n`;
  }
}

function rowOf(gap: GapEntry): readonly string[] {
  return [
    printable(`${gap.exchange} ${gap.symbol} ${gap.timeframe}`),
    minute(gap.since),
    count(gap.missing),
    gap.state,
    String(gap.attempts),
    gap.nextTry === null ? "–" : gap.nextTry.slice(11, 16),
  ];
}
