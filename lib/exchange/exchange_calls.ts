/** Runs what is asked of one exchange: each call has its answer's bounds, and its error says what to do next. @module */
import type { Clock } from "../clock.ts";
import { classesOf } from "./ancestry.ts";
import type { AnswerBounds } from "./answer_budget.ts";
import { Ban } from "./ban.ts";
import { type Call, failedRequest, runCall } from "./call.ts";
import { classify } from "./classify.ts";
import type { Denials } from "./denial.ts";
import { FetchError } from "./fetch_error.ts";

/** Who is told of bans. */
export interface BanNews {
  /** Stores every ban, so that it survives a restart. The banned request fails only after this has resolved. */
  readonly onBan?: (ban: { readonly untilMs: number; readonly reason: string }) => Promise<void>;
  /** Called when it answers after a ban. */
  readonly onBanEnd?: () => void;
}

interface ExchangeCallsOptions extends BanNews {
  readonly clock: Clock;
  readonly denials: Denials;
}

interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly bounds: AnswerBounds;
}

/** The calls of one exchange, its ban and its denials. */
export class ExchangeCalls {
  readonly #exchange: string;
  readonly #options: ExchangeCallsOptions;
  /** The exchange's class in CCXT and its ancestors. */
  readonly #classes: readonly string[];
  readonly #ban = new Ban();

  constructor(exchange: string, options: ExchangeCallsOptions) {
    this.#exchange = exchange;
    this.#options = options;
    this.#classes = classesOf(exchange);
  }

  /** Until when the exchange has banned us. Milliseconds; in the past when there is no ban. */
  get bannedUntilMs(): number {
    return this.#ban.untilMs;
  }

  /** Restores a ban that was stored before a restart. */
  restoreBan(untilMs: number, reason: string): void {
    this.#ban.restore(untilMs, reason);
  }

  /** @throws FetchError `rate_limited` while a ban lasts. */
  assertNotBanned(): void {
    const { untilMs, reason } = this.#ban;
    if (this.#options.clock.now() >= untilMs) return;
    throw new FetchError(
      "rate_limited",
      `Cannot send requests to ${this.#exchange} before ${
        new Date(untilMs).toISOString()
      }: ${reason}`,
      { untilMs },
    );
  }

  /**
   * Calls `fn`, which sends requests by an instance of CCXT. `action` says what for: `fetch candles of …`.
   *
   * @throws FetchError
   */
  async run<T>(
    action: string,
    { signal, bounds }: RunOptions,
    fn: (call: Call) => Promise<T>,
  ): Promise<T> {
    const { denials, clock } = this.#options;
    return await runCall(signal, async (call) => {
      try {
        const result = await fn(call);
        if (this.#ban.answered(clock.now())) this.#options.onBanEnd?.();
        for (const host of call.hosts) denials.answered(host);
        return result;
      } catch (error) {
        if (signal?.aborted) {
          throw new FetchError("cancelled", `Cannot ${action}: cancelled`, { cause: error });
        }
        throw await this.#failed(action, error, call);
      }
    }, { bounds, clock });
  }

  async #failed(action: string, error: unknown, call: Call): Promise<FetchError> {
    const { denials, clock } = this.#options;
    const answer = failedRequest(error) ?? call;
    const nowMs = clock.now();
    const fetchError = classify(error, {
      action,
      answer,
      classes: this.#classes,
      nowMs,
      banDefaultMs: this.#ban.defaultMs(nowMs),
    });
    for (const host of call.hosts) if (host !== answer.host) denials.answered(host);
    if (fetchError.kind === "denied") return denials.proved(fetchError, answer.host);
    if (answer.host !== undefined && answer.json !== undefined) denials.answered(answer.host);
    if (fetchError.kind === "rate_limited" && this.#ban.note(fetchError, nowMs)) {
      const { untilMs, reason } = this.#ban;
      await this.#options.onBan?.({ untilMs, reason });
    }
    return fetchError;
  }
}
