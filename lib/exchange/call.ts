/** Links each call into CCXT with the HTTP requests it makes, although all calls share one CCXT instance. @module */
import { AsyncLocalStorage } from "node:async_hooks";

/**
 * What happened during one call. CCXT keeps only the last response on the instance, where concurrent calls overwrite
 * each other. Here each call has its own.
 */
export interface Call {
  /** Aborts the running request and prevents further ones. */
  readonly signal: AbortSignal | undefined;
  /** Number of HTTP requests sent so far. */
  requests: number;
  /** HTTP status of the last response. */
  status: number | undefined;
  /** `Retry-After` header of the last response. */
  retryAfter: string | undefined;
  /** `Date` header of the last response. Milliseconds since the Unix epoch, whole seconds. */
  dateMs: number | undefined;
  /** The parsed body of the last response; undefined when it was not complete JSON. */
  json: unknown;
  /** The rows of all answers as the exchange sent them, parsed; undefined when none was parsed. */
  rows: readonly unknown[] | undefined;
  /** The beginning of the last response's body, if that was not complete JSON. */
  text: string | undefined;
  /** The place where the last response's body, which was complete, is not JSON; undefined if it is, or broke off. */
  excerpt: string | undefined;
  /** The host of the last request. */
  host: string | undefined;
  /** The hosts of all requests that were answered well. */
  readonly hosts: Set<string>;
  /** The proxy that the last request went through, without credentials. */
  via: string | undefined;
  /** Number of responses whose body was not complete JSON. */
  unreadable: number;
}

const calls = new AsyncLocalStorage<Call>();

/** The call that the running code belongs to, if any. */
export function currentCall(): Call | undefined {
  return calls.getStore();
}

/** The failed requests, by the error each one threw. */
const failedRequests = new WeakMap<object, Call>();

/**
 * Runs one request of the current call. CCXT may send several requests at once, so each one records its own status,
 * and copies it to the call when it ends. If it fails, {@linkcode failedRequest} finds the request by its error.
 */
export async function runRequest<T>(fn: () => Promise<T>): Promise<T> {
  const call = calls.getStore();
  if (call === undefined) return await fn();
  const request = newCall(call.signal);
  try {
    const result = await calls.run(request, fn);
    if (request.host !== undefined) call.hosts.add(request.host);
    return result;
  } catch (error) {
    if (typeof error === "object" && error !== null) failedRequests.set(error, { ...request });
    throw error;
  } finally {
    Object.assign(call, {
      ...request,
      hosts: call.hosts,
      rows: call.rows,
      requests: call.requests + request.requests,
      unreadable: call.unreadable + request.unreadable,
    });
    forgetBody(request);
  }
}

/** The request that threw this error, if any. */
export function failedRequest(error: unknown): Call | undefined {
  return typeof error === "object" && error !== null ? failedRequests.get(error) : undefined;
}

/** Runs `fn` as one call. */
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
    rows: undefined,
    text: undefined,
    excerpt: undefined,
    host: undefined,
    hosts: new Set(),
    via: undefined,
    unreadable: 0,
  };
}

/** Streams and signals opened during a call keep the call object alive. Without this, its rows would stay in memory. */
function forgetBody(call: Call): void {
  call.json = undefined;
  call.rows = undefined;
  call.text = undefined;
}
