/** The progress of a backfill: on a terminal a bar per exchange and a total, elsewhere occasional lines. @module */
import type { BackfillProgress } from "../fetch/backfill_report.ts";
import { printable } from "../text/printable.ts";
import type { Shell } from "./shell.ts";
import { count, cut, duration, shorten } from "./text.ts";

/** The shortest time between two redraws. */
const DRAW_MS = 100;

/** The shortest time between two plain lines, to keep logs short. */
const LINE_MS = 10_000;

/** Shorter pauses are normal waits between two requests. They would be over before a user could read them. */
const PAUSE_SHOWN_MS = 2_000;

/** Shows the progress of every exchange, and the total. */
export class ProgressLines {
  readonly #shell: Shell;
  readonly #exchanges = new Map<string, Amounts>();
  /** The ends of the pauses that plain lines have reported, by exchange. */
  readonly #pausesTold = new Map<string, number>();
  #shownAtMs: number;

  /** Shows `exchanges` in this order, including those without progress yet. */
  constructor(shell: Shell, exchanges: readonly string[]) {
    this.#shell = shell;
    this.#shownAtMs = shell.canRedraw ? 0 : shell.clock.now();
    for (const exchange of exchanges) this.#exchanges.set(exchange, NOTHING);
    if (shell.canRedraw) this.#show(shell.clock.now());
  }

  /** Records the progress of one exchange, and shows it when the next update is due. */
  update(progress: BackfillProgress): void {
    const { exchange, pausedUntilMs } = progress;
    const before = this.#exchanges.get(exchange) ?? NOTHING;
    const nowMs = this.#shell.clock.now();
    this.#exchanges.set(exchange, amountsOf(before, progress, nowMs));
    const { canRedraw } = this.#shell;
    // Show a pause at once, because an exchange that is paused may not send another update for long.
    const hasPaused = pausedUntilMs !== undefined && before.pausedUntilMs !== pausedUntilMs;
    if (hasPaused && !canRedraw) this.#tellPause(progress, nowMs);
    const isTime = nowMs - this.#shownAtMs >= (canRedraw ? DRAW_MS : LINE_MS);
    if (!isTime && !(hasPaused && canRedraw)) return;
    this.#shownAtMs = nowMs;
    this.#show(nowMs);
  }

  /** Shows the final state. Later output follows below it. */
  end(): void {
    if (!this.#shell.canRedraw) return;
    const lines = this.#lines(this.#shell.clock.now());
    this.#shell.draw([]);
    this.#shell.tell(lines.join("\n"));
  }

  #show(nowMs: number): void {
    if (this.#shell.canRedraw) this.#shell.draw(this.#lines(nowMs));
    else this.#shell.tell(this.#sumLine(nowMs));
  }

  #lines(nowMs: number): readonly string[] {
    const { columns, rows } = this.#shell;
    const all = [...this.#exchanges];
    // One line is for the total, and one for the cursor.
    const roomMax = Math.max(1, rows - 2);
    const shown = all.length <= roomMax ? all : leastDone(all).slice(0, roomMax - 1);
    const lines = shown.map(([exchange, amounts]) => barLine(exchange, amounts, nowMs));
    const hidden = all.length - shown.length;
    if (hidden > 0) lines.push(`and ${hidden} more exchanges`);
    if (all.length > 1) lines.push(barLine("total", this.#sum(), nowMs));
    return lines.map((line) => cut(line, columns - 1));
  }

  #sumLine(nowMs: number): string {
    const paused = [...this.#exchanges].filter(([, amounts]) => isPaused(amounts, nowMs));
    const names = paused.map(([exchange]) => exchange).join(", ");
    const pauses = names === "" ? "" : `; paused: ${names}`;
    return printable(`backfill ${figures(this.#sum(), nowMs)}${pauses}`);
  }

  #sum(): Amounts {
    const all = [...this.#exchanges.values()];
    return {
      ...NOTHING,
      owed: all.reduce((total, { owed }) => total + owed, 0),
      answered: all.reduce((total, { answered }) => total + answered, 0),
      sinceMs: all.reduce((least, { sinceMs }) => Math.min(least, sinceMs), Infinity),
      untilMs: all.reduce((most, { untilMs }) => Math.max(most, untilMs), -Infinity),
    };
  }

  /** Reports each pause once, although several requests may run into the same pause. */
  #tellPause(progress: BackfillProgress, nowMs: number): void {
    const { exchange, pausedUntilMs = 0 } = progress;
    const toldMs = this.#pausesTold.get(exchange) ?? 0;
    if (!isPaused(progress, nowMs) || pausedUntilMs < toldMs + LINE_MS) return;
    this.#pausesTold.set(exchange, pausedUntilMs);
    this.#shell.tell(printable(`${exchange} ${pauseText(progress, nowMs)}`));
  }
}

/** The progress of an exchange, or of all exchanges. Times are in milliseconds. */
interface Amounts {
  readonly owed: number;
  /** How many of the owed candles were answered. */
  readonly answered: number;
  /** When its candles were first asked for; Infinity before that. */
  readonly sinceMs: number;
  /** When the last answer arrived. */
  readonly untilMs: number;
  readonly pausedUntilMs: number | undefined;
  readonly pausedWhy: string | undefined;
}

const NOTHING: Amounts = {
  owed: 0,
  answered: 0,
  sinceMs: Infinity,
  untilMs: -Infinity,
  pausedUntilMs: undefined,
  pausedWhy: undefined,
};

function amountsOf(before: Amounts, progress: BackfillProgress, nowMs: number): Amounts {
  const { owed, pausedUntilMs, pausedWhy } = progress;
  const answered = Math.min(owed, progress.answered);
  return {
    owed,
    answered,
    sinceMs: owed === 0 ? before.sinceMs : Math.min(before.sinceMs, nowMs),
    untilMs: answered > before.answered ? nowMs : before.untilMs,
    pausedUntilMs,
    pausedWhy,
  };
}

const NAME_COLUMNS = 10;

/** `kraken     [#####-----]  52%  62,000 of 123,996  7,799/s, 8 s left`. */
function barLine(name: string, amounts: Amounts, nowMs: number): string {
  const start = `${shorten(printable(name), NAME_COLUMNS).padEnd(NAME_COLUMNS)} ${
    drawBar(shareOf(amounts))
  } `;
  if (!isPaused(amounts, nowMs)) return start + figures(amounts, nowMs);
  return start + `${percentOf(amounts)}  ${printable(pauseText(amounts, nowMs))}`;
}

function figures(amounts: Amounts, nowMs: number): string {
  const { owed, answered, sinceMs, untilMs } = amounts;
  if (owed === 0) return "   –  nothing owed so far";
  // When everything is answered, the time ends with the last answer.
  const seconds = ((answered < owed ? nowMs : untilMs) - sinceMs) / 1000;
  const rate = answered / Math.max(0.001, seconds);
  const left = rate > 0 && answered < owed ? `, ${duration((owed - answered) / rate)} left` : "";
  return `${percentOf(amounts)}  ${count(answered)} of ${count(owed)}  ${count(rate)}/s${left}`;
}

function shareOf({ owed, answered }: Amounts): number {
  return owed === 0 ? 0 : answered / owed;
}

function percentOf(amounts: Amounts): string {
  return `${Math.floor(shareOf(amounts) * 100)}%`.padStart(4);
}

type Paused = Pick<Amounts, "pausedUntilMs" | "pausedWhy">;

function isPaused({ pausedUntilMs = 0 }: Paused, nowMs: number): boolean {
  return pausedUntilMs - nowMs >= PAUSE_SHOWN_MS;
}

/** `paused until 12:30:05: rate limited`. Shows the date if it is another day. */
function pauseText({ pausedUntilMs = 0, pausedWhy }: Paused, nowMs: number): string {
  const until = new Date(pausedUntilMs).toISOString();
  const isToday = until.slice(0, 10) === new Date(nowMs).toISOString().slice(0, 10);
  const time = isToday ? until.slice(11, 19) : until.slice(0, 16).replace("T", " ");
  return `paused until ${time}${pausedWhy === undefined ? "" : `: ${pausedWhy}`}`;
}

function leastDone(
  all: readonly (readonly [string, Amounts])[],
): readonly (readonly [string, Amounts])[] {
  return [...all].sort(([, one], [, other]) => shareOf(one) - shareOf(other));
}

const BAR_CELLS = 12;

function drawBar(share: number): string {
  const full = Math.floor(share * BAR_CELLS);
  return `[${"#".repeat(full)}${"-".repeat(BAR_CELLS - full)}]`;
}
