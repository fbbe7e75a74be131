/** The progress of an import of many files. @module */
import assert from "node:assert/strict";
import { ImportProgressLines } from "../../lib/cli/import_progress.ts";
import type { Shell } from "../../lib/cli/shell.ts";
import { BatchProgress, type ImportProgress } from "../../lib/transfer/batch_progress.ts";

interface Seen {
  readonly told: string[];
  readonly drawn: (readonly string[])[];
  readonly shell: Shell;
  readonly wait: (ms: number) => void;
}

function watched(canRedraw: boolean): Seen {
  let nowMs = 1_000;
  const [told, drawn]: [string[], (readonly string[])[]] = [[], []];
  const shell = {
    clock: { now: () => nowMs },
    canRedraw,
    columns: 60,
    tell: (text: string) => void told.push(text),
    draw: (lines: readonly string[]) => void drawn.push(lines),
  } as unknown as Shell;
  return { told, drawn, shell, wait: (ms) => nowMs += ms };
}

Deno.test("a terminal shows files, rows, the rate, the time left and the file", () => {
  const { drawn, shell, wait, told } = watched(true);
  const lines = new ImportProgressLines(shell, { files: 200, bytes: 1_000 });
  const at = { filesDone: 12, bytesDone: 250, rows: 100_000, path: "data/a\x1b[31m.csv" };
  lines.update({ ...at, filesDone: 0, bytesDone: 0, rows: 0 });
  wait(10_000);
  lines.update(at);
  wait(10);
  lines.update({ ...at, rows: 100_001 });
  lines.end();
  assert.deepEqual(drawn, [
    ["0 of 200 files, 0 rows", "data/a\\x1b[31m.csv"],
    ["12 of 200 files, 25 %, 100,000 rows, 10,000 rows/s, 30 s l…", "data/a\\x1b[31m.csv"],
    [],
  ]);
  assert.deepEqual(told, []);
});

Deno.test("without a terminal a line is written every 30 seconds at most", () => {
  const { told, shell, wait } = watched(false);
  const lines = new ImportProgressLines(shell, { files: 1, bytes: 0 });
  for (let second = 0; second < 95; second++) {
    lines.update({ filesDone: 0, bytesDone: 0, rows: second * 1_000, path: "-" });
    wait(1_000);
  }
  lines.end();
  assert.deepEqual(told, [
    "import: 30,000 rows, 1,000 rows/s",
    "import: 60,000 rows, 1,000 rows/s",
    "import: 90,000 rows, 1,000 rows/s",
  ]);
});

Deno.test("a file's bytes count as they are read, and wholly only when it is done", () => {
  const seen: ImportProgress[] = [];
  const progress = new BatchProgress((now) => seen.push(now));
  progress.enter(0, { path: "a", bytes: 300 });
  progress.enter(1, { path: "b", bytes: 100 });
  progress.addBytes(0, 450);
  assert.equal(seen.at(-1)?.bytesDone, 150);
  progress.setRows(0, 20);
  progress.setRows(1, 5);
  progress.endTable(0);
  progress.setRows(0, 30);
  assert.deepEqual(seen.at(-1), { filesDone: 0, rows: 55, bytesDone: 150, path: "a" });
  progress.addBytes(0, 10_000);
  assert.equal(seen.at(-1)?.bytesDone, 297);
  progress.endTable(0);
  progress.end(0);
  assert.deepEqual(seen.at(-1), { filesDone: 1, rows: 55, bytesDone: 300, path: "a" });
});
