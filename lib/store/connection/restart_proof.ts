/** Whether the embedded server has kept what it had written, after it was ended and started again. @module */
import type { TextRows } from "./embedded_worker.ts";

/** Runs one statement, and answers with texts. */
export type AskText = (statement: string) => Promise<TextRows>;

/** @throws Error when something is not there that was written. */
type Finding = (ask: AskText) => Promise<void>;

/** How much is read back. What was written before that was flushed long ago. */
const FINDINGS_MAX = 20;

/** Writes a row that says what it said before. */
export const WRITE_AGAIN = `insert into jobs as known (job) values ('poll')
  on conflict (job) do update set last_start = known.last_start`;

/** What a server that was started again must still have. */
export class RestartProof {
  #findings: readonly Finding[] = [];
  #onProved: (() => void) | undefined;

  /** Registers what is called after each proof. */
  whenProved(onProved: () => void): void {
    this.#onProved = onProved;
  }

  /** Call it when the server has answered that something is written. */
  expect(finding: Finding): void {
    this.#findings = [...this.#findings, finding].slice(-FINDINGS_MAX);
  }

  /** Call it when something of it was deleted on purpose. */
  release(): void {
    this.#findings = [];
  }

  /**
   * Reads back what was written last, then writes.
   *
   * @throws Error when something is not there, or the server takes no writes.
   */
  async check(ask: AskText): Promise<void> {
    for (const finding of this.#findings) await finding(ask);
    const { rows } = await ask("select to_regclass('jobs') is not null");
    if (rows[0]?.[0] === "t") await ask(WRITE_AGAIN);
    this.#onProved?.();
  }
}
