/** Runs what is asked of one exchange: each call has its answer's bounds, and its error says what to do next. @module */
import type { Clock } from "../clock.ts";
import { classesOf } from "./ancestry.ts";
import { ANSWER_BOUNDS, type AnswerBounds } from "./answer_budget.ts";
import type { Bans, HostBan } from "./bans.ts";
import { type Call, failedRequest, runCall } from "./call.ts";
import { classify } from "./classify.ts";
import type { Denials } from "./denial.ts";
import { FetchError } from "./fetch_error.ts";
import { assertAnswered } from "./whole_answer.ts";

/** Who is told of bans. */
export interface BanNews {
  /** Stores every ban, so that it survives a restart. The banned request fails only after this has resolved. */
  readonly onBan?: (ban: HostBan) => Promise<void>;
  /** Called when a host answers after a ban. */
  readonly onBanEnd?: () => void;
}

interface ExchangeCallsOptions extends BanNews {
  readonly clock: Clock;
  readonly bans: Bans;
  readonly denials: Denials;
}

interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly bounds: AnswerBounds;
  /** The host that the requests are expected to go to. @default not known */
  readonly lane?: string | undefined;
}

/** The rows that answer a request. */
export interface AnsweredRows {
  /** All rows as CCXT parses them, also those outside the window. */
  readonly rows: readonly unknown[];
  /** The answer's `Date` header. Milliseconds; undefined when it has none. */
  readonly dateMs: number | undefined;
  /** The host that answered. */
  readonly host: string | undefined;
}

/** The calls of one exchange. Notes its bans and its denials. */
export class ExchangeCalls {
  readonly #options: ExchangeCallsOptions;
  /** The exchange's class in CCXT and its ancestors. */
  readonly #classes: readonly string[];

  constructor(exchange: string, options: ExchangeCallsOptions) {
    this.#options = options;
    this.#classes = classesOf(exchange);
  }

  /**
   * Calls `fn`, which sends requests by an instance of CCXT. `action` says what for: `fetch candles of …`.
   *
   * @throws FetchError
   */
  async run<T>(
    action: string,
    { signal, bounds, lane }: RunOptions,
    fn: (call: Call) => Promise<T>,
  ): Promise<T> {
    const { bans, denials, clock } = this.#options;
    return await runCall(signal, async (call) => {
      try {
        const result = await fn(call);
        for (const host of call.hosts) {
          if (bans.answered(host)) this.#options.onBanEnd?.();
          denials.answered(host);
        }
        return result;
      } catch (error) {
        if (signal?.aborted) {
          throw new FetchError("cancelled", `Cannot ${action}: cancelled`, { cause: error });
        }
        throw await this.#failed(action, error, call);
      }
    }, { bounds, clock, lane });
  }

  /**
   * Calls `send`, which sends a request for rows of a series. An empty answer counts only if it was whole, see
   * {@linkcode assertAnswered}: accepting another one would record a hole.
   *
   * @throws FetchError
   */
  async rows(
    action: string,
    options: Omit<RunOptions, "bounds">,
    send: () => Promise<unknown>,
  ): Promise<AnsweredRows> {
    return await this.run(action, { ...options, bounds: ANSWER_BOUNDS.candles }, async (call) => {
      const listed = await send();
      const rows: unknown = call.rows ?? listed;
      assertAnswered(action, rows, call);
      return { rows, dateMs: call.dateMs, host: call.host };
    });
  }

  async #failed(action: string, error: unknown, call: Call): Promise<FetchError> {
    const { bans, denials, clock } = this.#options;
    const answer = failedRequest(error) ?? call;
    const fetchError = classify(error, {
      action,
      answer,
      classes: this.#classes,
      nowMs: clock.now(),
      banDefaultMs: bans.defaultMs(answer.host),
    });
    for (const host of call.hosts) if (host !== answer.host) denials.answered(host);
    if (fetchError.kind === "denied") return denials.proved(fetchError, answer.host);
    if (answer.host !== undefined && answer.json !== undefined) denials.answered(answer.host);
    if (fetchError.kind === "rate_limited") {
      const ban = bans.note(fetchError, answer.host);
      if (ban !== undefined) await this.#options.onBan?.(ban);
    }
    return fetchError;
  }
}
