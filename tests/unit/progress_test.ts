import assert from "node:assert/strict";
import { ProgressLines } from "../../lib/cli/progress.ts";
import type { Shell } from "../../lib/cli/shell.ts";
import type { BackfillProgress } from "../../lib/fetch/backfill_report.ts";
import { ManualClock } from "../support/manual_clock.ts";

const START_MS = Date.UTC(2026, 0, 31, 12, 0, 0);

function backfillOf(
  shape: Partial<Pick<Shell, "canRedraw" | "columns" | "rows">>,
  exchanges: readonly string[],
): {
  readonly progress: ProgressLines;
  readonly drawn: (readonly string[])[];
  readonly told: string[];
  readonly advance: (ms: number) => void;
} {
  const clock = new ManualClock({ startMs: START_MS });
  const [drawn, told]: [(readonly string[])[], string[]] = [[], []];
  const shell: Shell = {
    args: [],
    env: {},
    clock,
    random: () => 0,
    signal: new AbortController().signal,
    onHangup: () => {},
    print: () => assert.fail("progress is not data"),
    write: () => assert.fail("progress is not data"),
    input: new Blob().stream(),
    ask: undefined,
    tell: (text) => void told.push(text),
    draw: (lines) => void drawn.push(lines),
    isTerminal: true,
    canRedraw: true,
    columns: 80,
    rows: 24,
    hasColor: false,
    screen: undefined,
    hasPrintColor: false,
    giveUp: () => Promise.resolve(),
    ...shape,
  };
  const progress = new ProgressLines(shell, exchanges);
  return { progress, drawn, told, advance: (ms) => clock.set(ms) };
}

function of(exchange: string, change: Partial<BackfillProgress>): BackfillProgress {
  return {
    exchange,
    owed: 0,
    answered: 0,
    pages: 0,
    files: 0,
    added: 0,
    revised: 0,
    rejected: 0,
    failed: 0,
    pausedUntilMs: undefined,
    pausedWhy: undefined,
    ...change,
  };
}

Deno.test("a terminal shows a bar an exchange and one for all, with rate and time left", () => {
  const { progress, drawn, advance } = backfillOf({}, ["binance", "kraken"]);
  progress.update(of("kraken", { owed: 1_000 }));
  progress.update(of("binance", { owed: 3_000_000 }));
  advance(10_000);
  progress.update(of("binance", { owed: 3_000_000, answered: 1_500_000 }));
  assert.deepEqual(drawn.at(-1), [
    "binance    [######------]  50%  1,500,000 of 3,000,000  150,000/s, 10 s left",
    "kraken     [------------]   0%  0 of 1,000  0/s",
    "total      [#####-------]  49%  1,500,000 of 3,001,000  150,000/s, 10 s left",
  ]);
});

Deno.test("an exchange that is done keeps its rate while others go on", () => {
  const { progress, drawn, advance } = backfillOf({}, ["binance", "kraken"]);
  progress.update(of("kraken", { owed: 1_000 }));
  progress.update(of("binance", { owed: 1_000 }));
  advance(10_000);
  progress.update(of("kraken", { owed: 1_000, answered: 1_000 }));
  advance(90_000);
  progress.update(of("binance", { owed: 1_000, answered: 500 }));
  assert.equal(drawn.at(-1)?.[1], "kraken     [############] 100%  1,000 of 1,000  100/s");
});

Deno.test("a pause is drawn at once, with its end and its reason", () => {
  const { progress, drawn } = backfillOf({}, ["kraken"]);
  progress.update(of("kraken", { owed: 1_000 }));
  const pausedUntilMs = START_MS + 3_600_000;
  progress.update(of("kraken", { owed: 1_000, pausedUntilMs, pausedWhy: "banned" }));
  assert.deepEqual(drawn.at(-1), [
    "kraken     [------------]   0%  paused until 13:00:00: banned",
  ]);
});

Deno.test("no line is as wide as the terminal, and no more lines are drawn than it has", () => {
  const names = Array.from({ length: 30 }, (_, index) => `exchange\x1b[2J${index}`);
  const { progress, drawn, advance } = backfillOf({ columns: 40, rows: 10 }, names);
  for (const name of names) {
    progress.update(of(name, { owed: 1e9, answered: 1, pausedWhy: "x".repeat(90) }));
  }
  advance(1_000);
  progress.update(of(names[3]!, { owed: 1e9, answered: 1, pausedUntilMs: START_MS + 1e9 }));
  const lines = drawn.at(-1) ?? [];
  assert.equal(lines.length, 9);
  assert.deepEqual(lines.filter((line) => line.length >= 40 || line.includes("\x1b")), []);
  assert.match(lines[7] ?? "", /^and 23 more exchanges/);
});

Deno.test("a pipe gets a line every ten seconds, and one for each pause", () => {
  const { progress, drawn, told, advance } = backfillOf({ canRedraw: false }, ["okx", "kraken"]);
  progress.update(of("okx", { owed: 100 }));
  progress.update(of("kraken", { owed: 100 }));
  advance(5_000);
  progress.update(of("okx", { owed: 100, answered: 10 }));
  assert.deepEqual(told, []);
  const pausedUntilMs = START_MS + 86_400_000;
  const paused = of("kraken", { owed: 100, pausedUntilMs, pausedWhy: "banned" });
  progress.update(paused);
  progress.update({ ...paused, pausedUntilMs: pausedUntilMs + 1 });
  advance(5_000);
  progress.update(of("okx", { owed: 100, answered: 50 }));
  assert.deepEqual(told, [
    "kraken paused until 2026-02-01 12:00: banned",
    "backfill  25%  50 of 200  5/s, 30 s left; paused: kraken",
  ]);
  progress.end();
  assert.deepEqual(drawn, []);
});
