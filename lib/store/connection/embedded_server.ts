/** The embedded server. It runs in its own thread and can be ended in the middle of a query. @module */
import { Worker } from "node:worker_threads";
import { broughtDown, harmOf, rowsOf, TURN_BYTES_MAX } from "./embedded_answer.ts";
import { serverParts } from "./embedded_parts.ts";
import type { TextRows, WorkerAnswer, WorkerRequest } from "./embedded_worker.ts";
import type { Clock } from "../../clock.ts";
import type { AskText } from "./restart_proof.ts";
import { isDoubtful } from "./store_error.ts";

/** Exclusive use of the server. No other statement runs until `end` is called. */
export interface EmbeddedTurn {
  /**
   * Runs one statement that only reads. If the signal aborts meanwhile, or the statement brings the server down, the
   * server is ended together with the statement. It is started again before other statements run.
   *
   * @throws the signal's reason.
   */
  ask(statement: string, signal: AbortSignal): Promise<TextRows>;
  /** Rolls back an open transaction, or starts the server again, then lets other statements run. Rejects never. */
  end(): Promise<void>;
}

interface EmbeddedServerOptions {
  /** The directory of its files. */
  readonly path: string;
  /** Called once, when the server fails. After that it answers nothing. */
  readonly onCrash: (error: Error) => void;
  /**
   * Called whenever the server was started again, before anything else is asked of it.
   *
   * @throws Error when it has not kept what it had written, or takes no writes. Then it has failed.
   */
  readonly prove: (ask: AskText) => Promise<void>;
  readonly clock: Clock;
}

/** A query that has made the server larger than this is followed by a new server, because memory is never given back. */
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;

/** So long the system takes to get the memory of an ended thread back: two servers at once would be too large. */
const FREED_MS = 100;

/** `ReadyForQuery`, idle: the last bytes of an answer when no transaction is open. */
const READY_IDLE = [0x5a, 0, 0, 0, 5, 0x49] as const;

/** A query's sort may take no more of the disk. Without a bound it takes all of it, and no page could be written. */
const TURN_FILES = "set temp_file_limit = '512MB'";

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
  /** Aborted when it is closed for good. */
  readonly #ended = new AbortController();
  #memoryBytes = 0;
  /** The answer that is being waited for. */
  #awaited: PromiseWithResolvers<WorkerAnswer> | undefined;

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
   * Ends it and starts it again, after an error that a sound server does not give.
   *
   * @param start of which the error was. If there was another one meanwhile, nothing is done.
   * @throws Error when it does not start, or is not proved.
   */
  async renew(start: number): Promise<void> {
    const release = await this.#take();
    try {
      if (start !== this.#starts) return;
      this.#end(new Error("the embedded database is started again"));
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
    this.#ended.abort();
    this.#end(this.#crash);
  }

  #turn(release: () => void): EmbeddedTurn {
    let worker: Worker | undefined;
    let memoryBytes = 0;
    let isDoubted = false;
    let asked: Promise<unknown> = Promise.resolve();
    const begin = async (signal: AbortSignal): Promise<void> => {
      await this.#start();
      signal.throwIfAborted();
      if (worker === this.#worker) return;
      worker = this.#worker;
      memoryBytes = this.#memoryBytes;
      await this.#requestText(TURN_FILES);
    };
    const ask = async (statement: string, signal: AbortSignal): Promise<TextRows> => {
      await begin(signal);
      const end = (): void => this.#end(signal.reason);
      signal.addEventListener("abort", end, { once: true });
      try {
        const answer = await this.#post({ statement, answerBytesMax: TURN_BYTES_MAX });
        const harm = harmOf(answer);
        if (harm !== undefined) {
          this.#end(harm);
          throw "failed" in answer ? new Error(broughtDown(answer.failed)) : harm;
        }
        isDoubted ||= "refused" in answer && isDoubtful(answer.refused);
        return rowsOf(answer);
      } finally {
        signal.removeEventListener("abort", end);
      }
    };
    const takeBack = async (): Promise<void> => {
      // If the server was ended meanwhile, no transaction is open any more.
      if (worker === undefined || worker !== this.#worker) return;
      if (isDoubted || this.#memoryBytes - memoryBytes > GROWTH_BYTES_MAX) {
        this.#end(new Error("the embedded database is started again"));
        return;
      }
      await this.#requestText("rollback");
      await this.#requestText("select pg_advisory_unlock_all()");
      await this.#requestText("reset temp_file_limit");
    };
    return {
      ask: (statement, signal) => {
        const answer = ask(statement, signal);
        asked = answer.catch(() => {});
        return answer;
      },
      end: async () => {
        await asked;
        // Where what the query has begun cannot be taken back, it ends with the server.
        await takeBack().catch((error) => this.#end(error));
        // Now, because the next statement, which may be a page's, would have to wait for it. It starts it where this fails.
        await this.#start().catch((error) => this.#end(error));
        release();
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
    const isAgain = this.#worker === undefined && this.#starts > 0;
    if (isAgain) await this.#options.clock.sleep(FREED_MS, this.#ended).catch(() => {});
    if (this.#crash !== undefined) throw this.#crash;
    if (this.#worker !== undefined) return;
    // With an empty environment, because the program may no longer have permission to read its own.
    const worker = new Worker(new URL("./embedded_worker.ts", import.meta.url), { env: {} });
    this.#worker = worker;
    const lose = (error: Error): void => {
      if (worker !== this.#worker) return;
      if (this.#awaited === undefined) this.#fail(error);
      else this.#awaited.resolve({ failed: error.message, memoryBytes: 0 });
    };
    worker.on("error", lose);
    worker.on("exit", () => lose(new Error("its thread has ended")));
    await this.#request({ open: this.#options.path, parts: await serverParts() });
    this.#isIdle = true;
    if (this.#starts > 0) await this.#prove();
    this.#starts++;
  }

  async #prove(): Promise<void> {
    try {
      await this.#options.prove((statement) => this.#requestText(statement));
    } catch (error) {
      this.#fail(new Error("it was started again, and could not be proved", { cause: error }));
      throw error;
    }
  }

  async #requestText(statement: string): Promise<TextRows> {
    return rowsOf(await this.#request({ statement, answerBytesMax: Infinity }));
  }

  /** Requests what must not fail. */
  async #request(request: WorkerRequest): Promise<WorkerAnswer> {
    const answer = await this.#post(request);
    const harm = harmOf(answer);
    if (harm === undefined) return answer;
    this.#fail(harm);
    throw harm;
  }

  async #post(request: WorkerRequest): Promise<WorkerAnswer> {
    const worker = this.#worker;
    if (worker === undefined) throw this.#crash ?? new Error("the embedded database was ended");
    const awaited = Promise.withResolvers<WorkerAnswer>();
    this.#awaited = awaited;
    worker.once("message", awaited.resolve);
    worker.postMessage(request, "messages" in request ? [request.messages] : []);
    const answer = await awaited.promise.finally(() => this.#awaited = undefined);
    this.#memoryBytes = answer.memoryBytes;
    return answer;
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
    this.#awaited?.reject(reason);
    void worker?.terminate();
  }
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
