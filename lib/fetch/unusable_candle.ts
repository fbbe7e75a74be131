/** A single candle whose answer cannot be used, and which errors let the rest of its page go on. @module */
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { PageAnswer } from "../archive/page_judge.ts";
import { FetchError } from "../exchange/fetch_error.ts";
import type { Priority } from "../exchange/pace.ts";
import { MalformedPageError } from "../market/answer.ts";
import type { Series } from "../market/series.ts";
import { addCandles } from "../market/timeframe.ts";
import type { Window } from "../market/window.ts";
import { DeadlineError } from "../policy/deadline.ts";

interface AskOptions {
  readonly priority: Priority;
  readonly signal?: AbortSignal | undefined;
}

/** The answer for a single candle cannot be used, and neither can a second one. */
export class UnusableCandle extends Error {
  override readonly name = "UnusableCandle";

  constructor(
    readonly window: Window,
    override readonly cause: MalformedPageError,
  ) {
    super(cause.message);
  }
}

/** @throws UnusableCandle when the answer for this one candle cannot be used either. */
export async function askOnce(
  exchange: ArchivedExchange,
  series: Series,
  { window, ...options }: AskOptions & { readonly window: Window },
): Promise<PageAnswer> {
  try {
    return await exchange.askPage(series, window, options);
  } catch (error) {
    if (error instanceof MalformedPageError) throw new UnusableCandle(window, error);
    throw error;
  }
}

/** Whether the candle before the oldest one that cannot be used is answered for well. */
export async function isAnsweredBeside(
  exchange: ArchivedExchange,
  series: Series,
  { unusable, ...options }: AskOptions & { readonly unusable: readonly UnusableCandle[] },
): Promise<boolean> {
  const untilMs = unusable.reduce((oldest, one) => Math.min(oldest, one.window.sinceMs), Infinity);
  const window = { sinceMs: addCandles(series.timeframe, untilMs, -1), untilMs };
  try {
    const { answered } = await exchange.askPage(series, window, options);
    return answered !== undefined;
  } catch (error) {
    if (endsPage(error, options.signal)) throw error;
    return false;
  }
}

/** Whether an error stops all further requests, or could not be stored: no other half would fare better. */
export function endsPage(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted === true) return true;
  if (error instanceof FetchError) {
    return ["rate_limited", "denied", "cancelled"].includes(error.kind);
  }
  return !(error instanceof DeadlineError || error instanceof MalformedPageError ||
    error instanceof UnusableCandle);
}
