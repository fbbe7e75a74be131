/** Cancels statements whose answers nobody waits for any more. @module */
import type { Duplex } from "node:stream";
import type { Clock } from "../../clock.ts";
import { withDeadline } from "../../policy/deadline.ts";
import type { Backend } from "./backend.ts";
import { connectionTo } from "./server_socket.ts";
import type { Sql } from "./sql.ts";

/** What postgres.js knows of a statement that it has sent. */
interface SentStatement {
  readonly active: boolean;
  readonly state: Backend | null;
}

/** CancelRequest (PostgreSQL manual, 55.7): its length, and this code, a process and its secret key. */
const CANCEL_REQUEST = 80_877_102;

/** The server has got a request when it closes the connection. A network that has gone must not keep the caller. */
const CANCEL_MS_MAX = 2_000;

/**
 * Runs statements. When one of the signals aborts, the server is told to end the one that runs, which then fails with
 * 57014, and no other is sent. Until it was told, the connection is not free, so that it ends no later statement.
 *
 * @throws the reason of a signal that has aborted before a statement.
 */
export async function runCancellable<T>(
  statements: (sql: Sql) => Promise<T>,
  { pool, signals, clock }: {
    readonly pool: Sql;
    readonly signals: readonly AbortSignal[];
    readonly clock: Clock;
  },
): Promise<T> {
  const assertWanted = (): void => signals.forEach((signal) => signal.throwIfAborted());
  assertWanted();
  const sent: SentStatement[] = [];
  let cancelled: Promise<unknown> = Promise.resolve();
  const cancel = (): void => {
    const running = sent.flatMap(({ active, state }) => active && state !== null ? [state] : []);
    cancelled = Promise.all(running.map((state) => requestCancel(pool, { state, clock })));
  };
  for (const signal of signals) signal.addEventListener("abort", cancel, { once: true });
  try {
    return await statements(noting(pool, { sent, assertWanted }));
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", cancel);
    await cancelled;
  }
}

/** The same pool. It adds what it sends to the list. */
function noting(
  pool: Sql,
  { sent, assertWanted }: { readonly sent: SentStatement[]; readonly assertWanted: () => void },
): Sql {
  const note = <T>(made: T): T => {
    assertWanted();
    // Names and lists of values are no statements.
    if (made instanceof Promise) sent.push(made as unknown as SentStatement);
    return made;
  };
  return new Proxy(pool, {
    apply: (target, _self, args) => note(Reflect.apply(target, undefined, args)),
    get: (target, name) =>
      name === "unsafe"
        ? (...args: Parameters<Sql["unsafe"]>) => note(target.unsafe(...args))
        : Reflect.get(target, name),
  });
}

/**
 * Over a connection of its own, which needs no password and counts for no limit of connections. Not by postgres.js: the
 * server ends it without an answer, which would be an error that nobody catches.
 */
async function requestCancel(
  pool: Sql,
  { state, clock }: {
    readonly state: Backend;
    readonly clock: Clock;
  },
): Promise<void> {
  const { socket: open } = pool.options as unknown as { readonly socket: () => Duplex };
  const request = new DataView(new ArrayBuffer(16));
  [16, CANCEL_REQUEST, state.pid, state.secret].forEach((value, at) =>
    request.setInt32(4 * at, value)
  );
  const socket = open();
  const closed = new Promise<void>((resolve) => {
    socket.on("error", () => {});
    socket.once("close", () => resolve());
  });
  socket.write(new Uint8Array(request.buffer));
  // postgres.js takes a connection for free once it has the answer, also while the request is on its way.
  const connection = connectionTo(state);
  const passOn = connection?.keepBack();
  // Where it is not known when the request comes, the connection ends.
  await withDeadline(CANCEL_MS_MAX, () => closed, { clock }).catch((error) =>
    connection?.destroy(Object.assign(error as Error, { code: "ECONNRESET" }))
  );
  passOn?.();
  socket.destroy();
}
