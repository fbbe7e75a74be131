/** `titan10 run`: the daemon. @module */
import { runDaemon } from "../daemon/daemon.ts";
import type { StartSummary } from "../daemon/start_summary.ts";
import { LOG_LEVELS } from "../telemetry/log.ts";
import { byteText } from "../text/bytes.ts";
import { printable } from "../text/printable.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { daemonStoppedText } from "./stopped.ts";
import { count, cut } from "./text.ts";

/** Runs the daemon until a signal. */
export async function run(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags);
  const { logFormat, logLevel } = ground.config;
  // Programs read the log; a user who watches is told in lines that fit the terminal.
  const isWatched = shell.isTerminal && logFormat === "pretty" &&
    LOG_LEVELS.indexOf(logLevel) <= LOG_LEVELS.indexOf("info");
  await runDaemon(ground, {
    signal: shell.signal,
    onHangup: shell.onHangup,
    onStarted: isWatched ? (summary) => shell.tell(startText(summary, shell.columns)) : undefined,
  });
  const stopped = isWatched ? daemonStoppedText(shell.signal) : undefined;
  if (stopped !== undefined) shell.tell(stopped);
  return EXIT.done;
}

/** What the daemon is at work on, in five lines. */
export function startText(summary: StartSummary, columns: number): string {
  const { version, database, timescaledb, place, bytes, exchanges, series, unanswered, url } =
    summary;
  const kind = database === "embedded" ? "embedded" : "server";
  const extension = timescaledb === null ? "without TimescaleDB" : `TimescaleDB ${timescaledb}`;
  const waiting = unanswered.length === 0
    ? ""
    : `; ${unanswered.length} not answered yet: ${unanswered.join(", ")}`;
  return [
    `titan10 ${version} is running. Ctrl-C stops it`,
    `  archive  ${byteText(bytes)} in ${place} (${kind}, ${extension})`,
    `  series   ${count(series)} of ${counted(exchanges, "exchange")}${waiting}`,
    `  pace     ${paceText(summary)}`,
    `  look     ${url}/ or titan10 status`,
  ].map((line) => cut(printable(line), columns)).join("\n");
}

function paceText({ tight, exchanges, unanswered }: StartSummary): string {
  const [first, ...others] = tight;
  if (first !== undefined && others.length === 0) {
    const { exchange, secondsAMinute, symbolsMax } = first;
    return `${exchange} takes ${count(secondsAMinute)} s of every minute, ` +
      `${count(symbolsMax)} symbols fit: titan10 plan`;
  }
  if (first !== undefined) {
    const names = tight.map(({ exchange }) => exchange).join(", ");
    return `polls take too long at ${tight.length} exchanges, see titan10 plan: ${names}`;
  }
  return exchanges === unanswered.length ? "not known yet" : "polls fit into every minute";
}

function counted(number: number, name: string): string {
  return `${count(number)} ${name}${number === 1 ? "" : "s"}`;
}
