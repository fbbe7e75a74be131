/** The embedded server. It runs in its own thread and can be ended in the middle of a query. @module */
import { Worker } from "node:worker_threads";
import type { TextRows, WorkerAnswer, WorkerRequest } from "./embedded_worker.ts";

/** Exclusive use of the server. No other statement runs until `end` is called. */
export interface EmbeddedTurn {
  /**
   * Runs one statement. If the signal aborts meanwhile, the server is ended together with the statement. The next
   * statement starts it again.
   *
   * @throws the signal's reason.
   */
  ask(statement: string, signal: AbortSignal): Promise<TextRows>;
  /** Rolls back an open transaction, then lets other statements run. */
  end(): void;
}

interface EmbeddedServerOptions {
  /** The directory of its files. */
  readonly path: string;
  /** Called once, when the server fails. After that it answers nothing. */
  readonly onCrash: (error: Error) => void;
}

/** `ReadyForQuery`, idle: the last bytes of an answer when no transaction is open. */
const READY_IDLE = [0x5a, 0, 0, 0, 5, 0x49] as const;

/** One PGlite instance. It handles one request at a time. */
export class EmbeddedServer {
  readonly #options: EmbeddedServerOptions;
  #worker: Worker | undefined;
  #crash: Error | undefined;
  /** Resolves when the last caller in the queue has released the server. */
  #free: Promise<void> = Promise.resolve();
  #isBusy = false;
  /** Whether the connection is between statements and outside of transactions. */
  #isIdle = true;
  #nextAnswer = Promise.withResolvers<void>();
  #starts = 0;
  /** Rejects the answer that is being waited for. */
  #giveUp: ((reason: unknown) => void) | undefined;

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
  }

  /** How many times it was started. Each start begins a new session, without the state of the session before. */
  get starts(): number {
    return this.#starts;
  }

  /** Starts it if it is not running. @throws Error when it does not start. */
  async open(): Promise<void> {
    const release = await this.#take();
    try {
      await this.#start();
    } finally {
      release();
    }
  }

  /**
   * Answers messages of the wire protocol. Each call waits for the call before it.
   *
   * @param messagesFor returns the messages for the given start of the server.
   * @throws Error when the server has crashed.
   */
  async execute(messagesFor: (start: number) => readonly Uint8Array[]): Promise<Uint8Array> {
    const release = await this.#take();
    try {
      await this.#start();
      let data: Uint8Array = new Uint8Array(0);
      for (const messages of messagesFor(this.#starts)) {
        // A copy, because its buffer is transferred to the thread.
        const answer = await this.#request({ messages: new Uint8Array(messages).buffer });
        if ("messages" in answer) data = new Uint8Array(answer.messages);
      }
      this.#isIdle = READY_IDLE.every((byte, at) =>
        data[data.length - READY_IDLE.length + at] === byte
      );
      return data;
    } finally {
      release();
      this.#nextAnswer.resolve();
      this.#nextAnswer = Promise.withResolvers();
    }
  }

  /**
   * Waits until the server is free and outside of transactions. If the wait is aborted, nothing has changed.
   *
   * @throws the signal's reason when it aborts first.
   */
  async takeTurn(signal: AbortSignal): Promise<EmbeddedTurn> {
    signal.throwIfAborted();
    for (;;) {
      const taken = this.#take();
      const release = await raced(taken, signal).catch((error) => {
        taken.then((release) => release());
        throw error;
      });
      if (this.#isIdle || this.#crash !== undefined) return this.#turn(release);
      const { promise } = this.#nextAnswer;
      release();
      await raced(promise, signal);
    }
  }

  /** Closes the server properly, or ends it if a statement is still running. */
  async close(): Promise<void> {
    if (!this.#isBusy && this.#crash === undefined && this.#worker !== undefined) {
      await this.#request({ close: true });
    }
    this.#crash ??= new Error("the embedded database is closed");
    this.#end(this.#crash);
  }

  #turn(release: () => void): EmbeddedTurn {
    let worker: Worker | undefined;
    let asked: Promise<unknown> = Promise.resolve();
    const ask = async (statement: string, signal: AbortSignal): Promise<TextRows> => {
      await this.#start();
      signal.throwIfAborted();
      worker = this.#worker;
      const end = (): void => this.#end(signal.reason);
      signal.addEventListener("abort", end, { once: true });
      try {
        return rowsOf(await this.#request({ statement }));
      } finally {
        signal.removeEventListener("abort", end);
      }
    };
    const takeBack = async (): Promise<void> => {
      // If the server was ended meanwhile, no transaction is open any more.
      if (worker === undefined || worker !== this.#worker) return;
      await this.#request({ statement: "rollback" });
      await this.#request({ statement: "select pg_advisory_unlock_all()" });
    };
    return {
      ask: (statement, signal) => {
        const answer = ask(statement, signal);
        asked = answer.catch(() => {});
        return answer;
      },
      end: () => {
        asked.then(takeBack).catch(() => {}).then(release);
      },
    };
  }

  async #take(): Promise<() => void> {
    const before = this.#free;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#free = promise;
    await before;
    this.#isBusy = true;
    return () => {
      this.#isBusy = false;
      resolve();
    };
  }

  async #start(): Promise<void> {
    if (this.#crash !== undefined) throw this.#crash;
    if (this.#worker !== undefined) return;
    // With an empty environment, because the program may no longer have permission to read its own.
    const worker = new Worker(new URL("./embedded_worker.ts", import.meta.url), { env: {} });
    this.#worker = worker;
    worker.on("error", (error) => {
      if (worker === this.#worker) this.#fail(error);
    });
    await this.#request({ open: this.#options.path });
    this.#starts++;
    this.#isIdle = true;
  }

  async #request(request: WorkerRequest): Promise<WorkerAnswer> {
    const worker = this.#worker;
    if (worker === undefined) throw this.#crash ?? new Error("the embedded database was ended");
    const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>();
    this.#giveUp = reject;
    worker.once("message", resolve);
    worker.postMessage(request, "messages" in request ? [request.messages] : []);
    const answer = await promise;
    if (!("failed" in answer)) return answer;
    this.#fail(new Error(answer.failed));
    throw new Error(answer.failed);
  }

  #fail(error: Error): void {
    if (this.#crash !== undefined) return;
    this.#crash = error;
    this.#nextAnswer.resolve();
    this.#options.onCrash(error);
    this.#end(error);
  }

  /** Ends the server at once, even in the middle of a statement. */
  #end(reason: unknown): void {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#giveUp?.(reason);
    void worker?.terminate();
  }
}

function rowsOf(answer: WorkerAnswer): TextRows {
  if ("rows" in answer) return answer.rows;
  if (!("refused" in answer)) throw new Error("the embedded database gave no rows");
  const { message, code } = answer.refused;
  throw Object.assign(new Error(message), { code });
}

async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
