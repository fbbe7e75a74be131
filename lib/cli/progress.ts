/** The progress of a backfill: a bar with rate and time left on a terminal, plain lines elsewhere. @module */
import type { BackfillProgress } from "../ingest/backfill.ts";
import type { Shell } from "./shell.ts";
import { count, duration } from "./text.ts";

/** A bar is drawn anew at most this often. */
const DRAW_MS = 100;

/** Plain lines come at most this often: a log is read, not watched. */
const LINE_MS = 10_000;

/** Shows the sum of all exchanges. */
export class ProgressLine {
  readonly #shell: Shell;
  readonly #startMs: number;
  readonly #exchanges = new Map<string, BackfillProgress>();
  #shownAtMs = 0;
  #isDrawn = false;

  constructor(shell: Shell) {
    this.#shell = shell;
    this.#startMs = shell.clock.now();
    this.#shownAtMs = shell.isTerminal ? 0 : this.#startMs;
  }

  /** Takes one exchange's progress, and shows it when it is time to. */
  update(progress: BackfillProgress): void {
    this.#exchanges.set(progress.exchange, progress);
    const nowMs = this.#shell.clock.now();
    if (nowMs - this.#shownAtMs < (this.#shell.isTerminal ? DRAW_MS : LINE_MS)) return;
    this.#shownAtMs = nowMs;
    this.#show(nowMs);
  }

  /** Shows the end, and leaves the line to what follows. */
  end(): void {
    if (this.#shell.isTerminal) this.#show(this.#shell.clock.now());
    if (this.#isDrawn) this.#shell.tell("");
    this.#isDrawn = false;
  }

  #show(nowMs: number): void {
    const text = this.#text(nowMs);
    if (!this.#shell.isTerminal) return this.#shell.tell(text);
    this.#isDrawn = true;
    this.#shell.draw(text.slice(0, this.#shell.columns - 1));
  }

  #text(nowMs: number): string {
    let owed = 0;
    let answered = 0;
    let pausedUntilMs = Infinity;
    for (const exchange of this.#exchanges.values()) {
      owed += exchange.owed;
      answered += Math.min(exchange.answered, exchange.owed);
      pausedUntilMs = Math.min(pausedUntilMs, exchange.pausedUntilMs ?? Infinity);
    }
    const share = owed === 0 ? 1 : answered / owed;
    const seconds = Math.max(0.001, (nowMs - this.#startMs) / 1000);
    const rate = answered / seconds;
    const left = rate > 0 && answered < owed ? `, ${duration((owed - answered) / rate)} left` : "";
    const paused = Number.isFinite(pausedUntilMs)
      ? `, paused until ${new Date(pausedUntilMs).toISOString().slice(11, 19)}`
      : "";
    const bar = this.#shell.isTerminal ? `${drawBar(share)} ` : "";
    const percent = `${Math.floor(share * 100)}%`.padStart(4);
    return `backfill ${bar}${percent}  ${count(answered)} of ${count(owed)}  ${
      count(rate)
    }/s${left}${paused}`;
  }
}

const BAR_CELLS = 20;

function drawBar(share: number): string {
  const full = Math.floor(share * BAR_CELLS);
  return `[${"#".repeat(full)}${"-".repeat(BAR_CELLS - full)}]`;
}
