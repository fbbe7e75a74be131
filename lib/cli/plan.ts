/** `titan10 plan`: prints what a backfill would ask for, without asking. @module */
import type { AskedRange } from "../archive/desire.ts";
import { makePlan, type Plan, type PlanCapacity } from "../fetch/plan.ts";
import { capacityProblem } from "../market/capacity.ts";
import { openArchive, prepareDatabase } from "../daemon/open_archive.ts";
import { printable } from "../text/printable.ts";
import { isStandby } from "../store/connection/database.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { askedRange } from "./asked_range.ts";
import { askDaemon } from "./control.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, duration, minute, table, wrap } from "./text.ts";
import { byteText } from "../text/bytes.ts";
import { withArchive } from "./with_archive.ts";

/** The width of the narrowest usual terminal. */
const COLUMNS = 80;

/** Prints the plan. It is computed here, or by the daemon that holds the database. */
export async function plan(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const asked = askedRange(flags, { nowMs: shell.clock.now() });
  const document = await withArchive(ground, {
    here: async (database) => {
      if (await isStandby(database)) await requireArchive(database);
      else await prepareDatabase(database, ground);
      const archive = await openArchive(database, ground);
      return await makePlan(archive, { asked, signal: shell.signal });
    },
    daemon: async () => await askDaemon(ground.config.dataDir, planPath(asked)) as Plan,
  });
  // What was not asked any more would pass for what is wrong.
  shell.signal.throwIfAborted();
  shell.print(flags["json"] === true ? JSON.stringify(document) : render(document));
  for (const { exchange, problem } of document.problems) {
    shell.tell(printable(`${exchange} could not be planned completely: ${problem}`));
  }
  if (document.problems.length > 0) {
    shell.tell("Run titan10 doctor, fix what it names, then run titan10 plan again");
  }
  for (const problem of document.lost) shell.tell(printable(problem));
  return document.problems.length + document.lost.length === 0 ? EXIT.done : EXIT.failed;
}

/** The daemon's plan of a range. */
function planPath({ sinceMs, untilMs }: AskedRange): string {
  const query = Object.entries({ sinceMs, untilMs }).flatMap(([name, ms]) =>
    ms === undefined ? [] : [`${name}=${ms}`]
  );
  return ["/plan", ...(query.length === 0 ? [] : [query.join("&")])].join("?");
}

/** The plan as text of at most 80 columns. */
export function render(
  { entries, history, byHand, funding, capacity, seconds, bytes: total }: Omit<Plan, "lost">,
): string {
  if (entries.length === 0) return "nothing could be planned";
  const lines = [table(
    ["EXCHANGE", "TIMEFRAME", "SERIES", "CANDLES", "PAGES", "AT LEAST", "DISK"],
    entries.map((entry) => [
      entry.exchange,
      entry.timeframe,
      count(entry.series),
      count(entry.candles),
      count(entry.pages),
      duration(entry.seconds),
      byteText(entry.bytes),
    ]),
    { numeric: [2, 3, 4, 5, 6] },
  )];
  lines.push(
    "",
    `At least ${duration(seconds)} for all exchanges side by side, and ${byteText(total)} on disk`,
  );
  lines.push("before compression. What is older than COMPRESS_AFTER later takes a seventh.");
  for (const one of history) lines.push("", wrap(historyText(one), COLUMNS).join("\n"));
  for (const line of fundingLines(funding)) lines.push(line);
  lines.push("", capacityText(capacity));
  const impossible = entries.filter(({ impossible }) => impossible > 0);
  if (impossible.length > 0) {
    lines.push("", "NOT AVAILABLE: wanted, but the exchange does not keep it any more");
  }
  for (const entry of impossible) {
    const reach = entry.reachFrom === null ? "" : `, nothing before ${minute(entry.reachFrom)}`;
    lines.push(
      `  ${entry.exchange} ${entry.timeframe}: ${count(entry.impossible)} candles${reach}`,
    );
  }
  for (const { exchange, file, page } of byHand) {
    const text = `${exchange}'s API does not give older candles, but its file ${file} has them: ` +
      `get it as ${page} tells, and add it with titan10 import ${file} --exchange ${exchange}.`;
    lines.push("", wrap(text, COLUMNS).join("\n"));
  }
  return lines.join("\n");
}

function historyText({ exchange, host, files, candles, seconds }: Plan["history"][number]): string {
  return `${exchange}: ${count(candles)} of these candles come from ${count(files)} ` +
    `${files === 1 ? "file" : "files"} of ${host}, in about ${
      duration(seconds)
    } beside the pages. ` +
    "What is not there is asked of the API (HISTORY=off: all is).";
}

/** The funding rates of perpetuals; nothing where none are wanted. */
function fundingLines(funding: Plan["funding"]): readonly string[] {
  if (funding.length === 0) return [];
  const rows = funding.map((one) => [
    one.exchange,
    count(one.perpetuals),
    count(one.rates),
    count(one.pages),
    duration(one.seconds),
  ]);
  const head = ["FUNDING", "PERPETUALS", "RATES", "PAGES", "AT LEAST"];
  return ["", table(head, rows, { numeric: [1, 2, 3, 4] })];
}

/** What polls take of each exchange's pace, what they leave for its backfill, and how the archive grows. */
function capacityText(capacity: readonly PlanCapacity[]): string {
  const lines = [table(
    ["EXCHANGE", "SYMBOLS", "FIT", "POLLS", "TAKE", "BACKFILL", "MONTH", "COMPRESSED"],
    capacity.map((one) => [
      one.exchange,
      count(one.symbols),
      one.symbols === 0 ? "–" : count(one.symbolsMax),
      figure(one.pollsAMinute),
      `${figure(one.secondsAMinute)} s`,
      one.backfillSeconds === null ? "never" : duration(one.backfillSeconds),
      byteText(one.bytesAMonth),
      byteText(one.compressedAMonth),
    ]),
    { numeric: [1, 2, 3, 4, 5, 6, 7] },
  )];
  lines.push(
    "",
    "So many POLLS a minute TAKE so much of it at the exchange's pace; so many",
    "symbols FIT. BACKFILL is its least duration beside the polls, MONTH what new",
    "candles take on disk.",
  );
  const shared = capacity.filter(({ kinds }) => kinds !== null);
  if (shared.length > 0) {
    lines.push("", wrap(`${sharedText(shared)}.`, COLUMNS).join("\n"));
  }
  for (const one of capacity) {
    const problem = capacityProblem(one);
    if (problem !== undefined) {
      lines.push("", wrap(`${one.exchange}: ${problem}.`, COLUMNS).join("\n"));
    }
  }
  return lines.join("\n");
}

/** Which of an exchange's markets a line is about, where kinds of them have a pace of their own. */
function sharedText(shared: readonly PlanCapacity[]): string {
  const named = shared.map(({ exchange, kinds }) =>
    `${exchange}'s ${kinds?.join(" and ") ?? ""} markets`
  );
  return "Kinds of markets with a host of their own have a pace of their own; SYMBOLS, FIT, POLLS and " +
    `TAKE are of the busiest: ${named.join(", ")}`;
}

function figure(value: number): string {
  return value < 10 ? value.toFixed(1) : count(value);
}
