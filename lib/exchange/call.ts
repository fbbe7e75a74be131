/** One call into CCXT and the HTTP requests it makes, tied together across CCXT's shared instance. @module */
import { AsyncLocalStorage } from "node:async_hooks";

/**
 * What happened during one call. CCXT keeps the last response on the instance, where calls in flight
 * overwrite each other's; here every call sees its own.
 */
export interface Call {
  /** Aborts the request in flight, and refuses the ones that would follow. */
  readonly signal: AbortSignal | undefined;
  /** HTTP requests sent so far. */
  requests: number;
  /** HTTP status of the last answer. */
  status: number | undefined;
  /** `Retry-After` of the last answer. */
  retryAfter: string | undefined;
  /** When the last answer was made, by its `Date`. Milliseconds since the Unix epoch, whole seconds. */
  dateMs: number | undefined;
  /** The parsed body of the last answer; undefined when it was not whole JSON. */
  json: unknown;
  /** Answers whose body was not whole JSON. */
  unreadable: number;
}

const calls = new AsyncLocalStorage<Call>();

/** The call that the running code belongs to, if any. */
export function currentCall(): Call | undefined {
  return calls.getStore();
}

/** What was answered to requests that failed, by the error they failed with. */
const failures = new WeakMap<object, Call>();

/**
 * Runs one request of the current call as a call of its own. A class may send several at once, and the status of one
 * must not be taken for another's: the call is told when each has ended, and whose error it was is remembered.
 */
export async function runRequest<T>(fn: () => Promise<T>): Promise<T> {
  const call = calls.getStore();
  if (call === undefined) return await fn();
  const request = newCall(call.signal);
  try {
    return await calls.run(request, fn);
  } catch (error) {
    if (typeof error === "object" && error !== null) failures.set(error, { ...request });
    throw error;
  } finally {
    Object.assign(call, {
      ...request,
      requests: call.requests + request.requests,
      unreadable: call.unreadable + request.unreadable,
    });
    forgetBody(request);
  }
}

/** The request that failed with this error, if one did. */
export function failedRequest(error: unknown): Call | undefined {
  return typeof error === "object" && error !== null ? failures.get(error) : undefined;
}

/** Runs `fn` as a call of its own. */
export async function runCall<T>(
  signal: AbortSignal | undefined,
  fn: (call: Call) => Promise<T>,
): Promise<T> {
  const call = newCall(signal);
  try {
    return await calls.run(call, () => fn(call));
  } finally {
    forgetBody(call);
  }
}

function newCall(signal: AbortSignal | undefined): Call {
  return {
    signal,
    requests: 0,
    status: undefined,
    retryAfter: undefined,
    dateMs: undefined,
    json: undefined,
    unreadable: 0,
  };
}

/** What was opened during a call, streams and signals, keeps the call for long, and would keep all rows with it. */
function forgetBody(call: Call): void {
  call.json = undefined;
}
