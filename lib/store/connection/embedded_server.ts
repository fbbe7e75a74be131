/** The embedded server, which runs on a thread of its own and can be ended in the middle of a query. @module */
import { Worker } from "node:worker_threads";
import type { TextRows, WorkerAnswer, WorkerRequest } from "./embedded_worker.ts";

/** The server to oneself: nothing of anybody else runs until it is ended. */
export interface EmbeddedTurn {
  /**
   * Asks one statement. When the signal aborts meanwhile, the server is ended with the statement, and started anew by
   * whatever is asked next.
   *
   * @throws the signal's reason.
   */
  ask(statement: string, signal: AbortSignal): Promise<TextRows>;
  /** Takes back what a transaction has left open, then lets the others in. */
  end(): void;
}

interface EmbeddedServerOptions {
  /** The directory of its files. */
  readonly path: string;
  /** Told once, when the server fails; it answers nothing afterwards. */
  readonly onCrash: (error: Error) => void;
}

/** `ReadyForQuery`, idle: the end of what the server answers when no transaction is open. */
const READY_IDLE = [0x5a, 0, 0, 0, 5, 0x49] as const;

/** One PGlite, asked by one request at a time. */
export class EmbeddedServer {
  readonly #options: EmbeddedServerOptions;
  #worker: Worker | undefined;
  #crash: Error | undefined;
  /** Resolves when the last who has asked for the server is done with it. */
  #free: Promise<void> = Promise.resolve();
  #isBusy = false;
  /** Whether the connection is between statements and outside of transactions. */
  #isIdle = true;
  #nextAnswer = Promise.withResolvers<void>();
  #starts = 0;
  /** Ends the wait for an answer. */
  #giveUp: ((reason: unknown) => void) | undefined;

  constructor(options: EmbeddedServerOptions) {
    this.#options = options;
  }

  /** How often it has been started. Each start begins a new session, which knows nothing of the one before. */
  get starts(): number {
    return this.#starts;
  }

  /** Starts it, where nothing has been asked yet. @throws Error when it does not start. */
  async open(): Promise<void> {
    const release = await this.#take();
    try {
      await this.#start();
    } finally {
      release();
    }
  }

  /**
   * Answers messages of the wire protocol. Each call waits for the one before.
   *
   * @param messagesFor gives them, once it is known which start of the server they are for.
   * @throws Error when the server has crashed.
   */
  async execute(messagesFor: (start: number) => readonly Uint8Array[]): Promise<Uint8Array> {
    const release = await this.#take();
    try {
      await this.#start();
      let data: Uint8Array = new Uint8Array(0);
      for (const messages of messagesFor(this.#starts)) {
        // A copy, which is then the thread's.
        const answer = await this.#request({ messages: new Uint8Array(messages) });
        if ("messages" in answer) data = answer.messages;
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
   * Waits for the server to be free and outside of transactions. Whoever stops waiting has changed nothing.
   *
   * @throws the signal's reason when that aborts first.
   */
  async takeTurn(signal: AbortSignal): Promise<EmbeddedTurn> {
    signal.throwIfAborted();
    for (;;) {
      const taken = this.#take();
      const release = await raced(taken, signal).catch((error) => {
        taken.then((release) => release());
        throw error;
      });
      if (this.#isIdle) return this.#turn(release);
      const { promise } = this.#nextAnswer;
      release();
      await raced(promise, signal);
    }
  }

  /** Closes it in order, unless something still runs on it. */
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
      // What was ended has nothing open any more.
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
    // Without an environment of its own, for which the program may have no permission any more.
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
    worker.postMessage(request, "messages" in request ? [request.messages.buffer] : []);
    const answer = await promise;
    if (!("failed" in answer)) return answer;
    this.#fail(new Error(answer.failed));
    throw new Error(answer.failed);
  }

  #fail(error: Error): void {
    if (this.#crash !== undefined) return;
    this.#crash = error;
    this.#options.onCrash(error);
    this.#end(error);
  }

  /** Ends the server, whatever it is doing. */
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
