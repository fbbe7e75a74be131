/** What is under way for one exchange, so that it can be ended when the exchange or a series is no longer wanted. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import type { Share } from "./share.ts";
import { SkippedPolls } from "./skipped_polls.ts";
import { type Series, seriesName } from "../market/series.ts";

interface WorkOptions {
  /** The series that it is for. @default the exchange as a whole */
  readonly series?: Series | undefined;
  /** The symbol that it is for. @default that of the series */
  readonly symbol?: string | undefined;
  /**
   * Whether it is also done for what another node holds: to compare, or because a person asks once. Nothing that is stored of a
   * series may come of it.
   *
   * @default false
   */
  readonly isBeyondShare?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface UnderWay extends Pick<WorkOptions, "symbol" | "isBeyondShare"> {
  readonly series: string | undefined;
  readonly stopping: AbortController;
  /** Ends only its waits. */
  readonly leaving: AbortController;
  /** Settles when the work has ended. */
  readonly ended: Promise<unknown>;
}

const ALL = { mayAsk: true, holds: () => true };

/** The work for one exchange. */
export class ExchangeWork {
  /** Its polls that did not begin, because those before have not ended. */
  readonly skippedPolls = new SkippedPolls();
  readonly #exchange: string;
  readonly #share: Pick<Share, "mayAsk" | "holds">;
  readonly #underWay = new Set<UnderWay>();
  /** Names of series that are no longer wanted. */
  #withdrawn: ReadonlySet<string> = new Set();
  #state: "open" | "retired" | "ended" = "open";
  #wants = new AbortController();

  /** @param share what of it this node asks for. @default all */
  constructor(exchange: string, share: Pick<Share, "mayAsk" | "holds"> = ALL) {
    this.#exchange = exchange;
    this.#share = share;
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
   * Does some work, unless it is no longer wanted, or another node's.
   *
   * @param fn gets two signals: one ends all, and one ends also the waits before a request, because the work is to be another
   * node's. What was sent by then is awaited and stored.
   * @throws FetchError `cancelled` when it is not wanted, or no longer; what `fn` throws.
   */
  async run<T>(
    { series, signal, ...about }: WorkOptions,
    fn: (signal: AbortSignal, waits: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const { symbol = series?.symbol, isBeyondShare } = about;
    const name = series === undefined ? undefined : seriesName(series);
    const isRetired = this.#state === "retired" && name !== undefined;
    const isUnwanted = this.#state === "ended" || isRetired || this.#withdrawn.has(name ?? "");
    if (isUnwanted || !this.#isShared({ symbol, isBeyondShare })) throw this.#unwanted();
    const [stopping, leaving] = [new AbortController(), new AbortController()];
    const stop = (): void => {
      stopping.abort(signal?.reason);
      leaving.abort(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
    const result = fn(stopping.signal, leaving.signal);
    const ended = result.catch(() => {});
    const work = { series: name, symbol, isBeyondShare, stopping, leaving, ended };
    this.#underWay.add(work);
    try {
      return await result;
    } finally {
      this.#underWay.delete(work);
      signal?.removeEventListener("abort", stop);
    }
  }

  /**
   * Call right before a request is sent, after a wait for its turn: a process that stood still in it has lost what it held, and
   * has not noticed yet.
   *
   * @throws FetchError `cancelled` when it is another node's now.
   */
  assertShared(about: Pick<WorkOptions, "series" | "symbol" | "isBeyondShare">): void {
    const { symbol = about.series?.symbol, isBeyondShare } = about;
    if (!this.#isShared({ symbol, isBeyondShare })) throw this.#unwanted();
  }

  /** Call when other series or ranges are wanted. Resolves when the work for these series, which are not, has ended. */
  async withdraw(series: Iterable<string>): Promise<void> {
    this.#withdrawn = new Set(series);
    this.renewWants();
    await this.#stop(({ series }) => series !== undefined && this.#withdrawn.has(series));
  }

  /**
   * Call when less is this node's. What is under way of the rest waits for no turn, ban or retry any more; a request that was
   * sent is awaited and its answer stored. Resolves when all that has ended.
   */
  async leave(): Promise<void> {
    if (!this.#share.mayAsk) this.renewWants();
    const left = [...this.#underWay].filter((work) => !this.#isShared(work));
    for (const { leaving } of left) leaving.abort(this.#unwanted());
    await Promise.all(left.map(({ ended }) => ended));
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

  /** Call when other series are to be fetched: long work begins anew. Pages under way go on to their ends. */
  renewWants(): void {
    if (this.#state !== "open") return;
    const before = this.#wants;
    this.#wants = new AbortController();
    before.abort(this.#unwanted());
  }

  async #stop(isUnwanted: (work: UnderWay) => boolean): Promise<void> {
    const unwanted = [...this.#underWay].filter(isUnwanted);
    for (const { stopping, leaving } of unwanted) {
      const reason = this.#unwanted();
      stopping.abort(reason);
      leaving.abort(reason);
    }
    await Promise.all(unwanted.map(({ ended }) => ended));
  }

  #isShared({ symbol, isBeyondShare }: Pick<WorkOptions, "symbol" | "isBeyondShare">): boolean {
    if (isBeyondShare === true) return true;
    return symbol === undefined ? this.#share.mayAsk : this.#share.holds(symbol);
  }

  #unwanted(): FetchError {
    return new FetchError("cancelled", `Cannot go on with ${this.#exchange}: it is not wanted now`);
  }
}
