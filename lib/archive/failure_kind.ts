/** What kind of failure an error is: for metrics, for the log, and for the breaker. @module */
import { FetchError } from "../exchange/fetch_error.ts";
import { MalformedPageError } from "../market/answer.ts";
import { ROW_TEXT_MAX } from "../market/candle.ts";
import type { Window } from "../market/window.ts";
import { BreakerOpenError, type BreakerVerdict } from "../policy/breaker.ts";
import { DeadlineError } from "../policy/deadline.ts";

/** Why a request failed: the values of `titan10_fetch_failures_total{kind}`. */
type FailureKind = FetchError["kind"] | "timeout" | "malformed" | "breaker_open";

/** What kind of failure an error from an archived exchange is. */
export function failureKind(error: unknown): FailureKind {
  if (error instanceof FetchError) return error.kind;
  if (error instanceof DeadlineError) return "timeout";
  if (error instanceof MalformedPageError) return "malformed";
  if (error instanceof BreakerOpenError) return "breaker_open";
  return "transient";
}

/** Only transient failures trip the breaker. Any answer, even a refusal, proves that the exchange is up. */
export function judgeError(error: unknown): BreakerVerdict {
  if (error instanceof FetchError && error.isUnknown) return "success";
  switch (failureKind(error)) {
    case "transient":
    case "timeout":
      return "failure";
    case "permanent":
    case "retention":
    case "malformed":
      return "success";
    case "rate_limited":
    case "denied":
    case "cancelled":
    case "breaker_open":
      return "ignore";
  }
}

/** Whether the same request may be answered a moment later. */
export function mayPass(error: unknown): boolean {
  return error instanceof DeadlineError ||
    (error instanceof FetchError && (error.kind === "transient" ||
      // One answer is no proof yet.
      (error.kind === "denied" && error.untilMs === undefined)));
}

/** A whole answer that is not JSON is malformed: a shorter window may leave out what is wrong with it. */
export function unreadable(error: unknown, window: Window): MalformedPageError | undefined {
  if (!(error instanceof FetchError) || error.excerpt === undefined) return undefined;
  return new MalformedPageError(error.message, {
    cause: error,
    evidence: [{
      reason: "unreadable",
      row: JSON.stringify(error.excerpt).slice(0, ROW_TEXT_MAX),
      openTimeMs: window.sinceMs,
    }],
  });
}
