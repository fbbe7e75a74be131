/** What an answer of the embedded server's thread means. @module */
import { byteText } from "../../text/bytes.ts";
import type { TextRows, WorkerAnswer } from "./embedded_worker.ts";

/** The most bytes of one answer in a turn: what people ask for must not make the program large. */
export const TURN_BYTES_MAX = 8 * 1024 * 1024;

/** Why the server cannot be used after this answer; undefined when it can. */
export function harmOf(answer: WorkerAnswer): Error | undefined {
  if ("failed" in answer) return new Error(answer.failed);
  if (!("tooLong" in answer)) return undefined;
  return new Error(
    `its answer is longer than ${byteText(TURN_BYTES_MAX)}: ask for fewer or shorter rows`,
  );
}

/** What to tell of a query that ended the server. */
export function broughtDown(failure: string): string {
  return `it is nested too deeply for the embedded database, which it ended (${failure}). The database is started again; ` +
    "nothing that was stored is lost";
}

/** The rows of an answer. @throws Error with the code of PostgreSQL when it refused the statement. */
export function rowsOf(answer: WorkerAnswer): TextRows {
  if ("rows" in answer) return answer.rows;
  if (!("refused" in answer)) throw new Error("the embedded database gave no rows");
  const { message, code } = answer.refused;
  throw Object.assign(new Error(message), { code });
}
