/** What is under way for one exchange, so that it can be ended when the exchange or a series is no longer wanted. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { SkippedPolls } from "./skipped_polls.ts";
import { type Series, seriesName } from "../market/series.ts";

interface WorkOptions {
  /** The series that it is for. @default the exchange as a whole */
  readonly series?: Series | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface UnderWay {
  readonly series: string | undefined;
  readonly stopping: AbortController;
  /** Settles when the work has ended. */
  readonly ended: Promise<unknown>;
}

/** The work for one exchange. */
export class ExchangeWork {
  /** Its polls that did not begin, because those before have not ended. */
  readonly skippedPolls = new SkippedPolls();
  readonly #exchange: string;
  readonly #underWay = new Set<UnderWay>();
  /** Names of series that are no longer wanted. */
  #withdrawn: ReadonlySet<string> = new Set();
  #state: "open" | "retired" | "ended" = "open";
  #wants = new AbortController();

  constructor(exchange: string) {
    this.#exchange = exchange;
  }

  /** Aborts when other series or ranges of this exchange are wanted, or none: then long work should begin anew. */
  get wants(): AbortSignal {
    return this.#wants.signal;
  }

  /** Whether neither another client has taken the place of this one, nor the exchange is gone. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /**
   * Does some work, unless it is no longer wanted.
   *
   * @throws FetchError `cancelled` when it is not, or no longer; what `fn` throws.
   */
  async run<T>(
    { series, signal }: WorkOptions,
    fn: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const name = series === undefined ? undefined : seriesName(series);
    const isRetired = this.#state === "retired" && name !== undefined;
    if (this.#state === "ended" || isRetired || this.#withdrawn.has(name ?? "")) {
      throw this.#unwanted();
    }
    const stopping = new AbortController();
    const stop = (): void => stopping.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const result = fn(stopping.signal);
    const work = { series: name, stopping, ended: result.catch(() => {}) };
    this.#underWay.add(work);
    try {
      return await result;
    } finally {
      this.#underWay.delete(work);
      signal?.removeEventListener("abort", stop);
    }
  }

  /** Call when other series or ranges are wanted. Resolves when the work for these series, which are not, has ended. */
  async withdraw(series: Iterable<string>): Promise<void> {
    this.#withdrawn = new Set(series);
    this.#renewWants();
    await this.#stop(({ series }) => series !== undefined && this.#withdrawn.has(series));
  }

  /** Call when these series are wanted, even if they were not for a while. */
  admit(series: readonly Series[]): void {
    if (this.#withdrawn.size === 0) return;
    const wanted = new Set(series.map(seriesName));
    this.#withdrawn = new Set([...this.#withdrawn].filter((name) => !wanted.has(name)));
  }

  /** Call when another client takes the place of this one: pages under way go on to their ends, no more are begun. */
  retire(): void {
    this.#state = "retired";
    this.#wants.abort(this.#unwanted());
  }

  /** Call when the exchange is no longer archived. Resolves when its work has ended. */
  async end(): Promise<void> {
    this.#state = "ended";
    this.#wants.abort(this.#unwanted());
    await this.#stop(() => true);
  }

  #renewWants(): void {
    const before = this.#wants;
    this.#wants = new AbortController();
    before.abort(this.#unwanted());
  }

  async #stop(isUnwanted: (work: UnderWay) => boolean): Promise<void> {
    const unwanted = [...this.#underWay].filter(isUnwanted);
    for (const { stopping } of unwanted) stopping.abort(this.#unwanted());
    await Promise.all(unwanted.map(({ ended }) => ended));
  }

  #unwanted(): FetchError {
    return new FetchError("cancelled", `Cannot go on with ${this.#exchange}: it is not wanted now`);
  }
}
