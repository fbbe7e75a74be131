/** Links each call into CCXT with the HTTP requests it makes, although all calls share one CCXT instance. @module */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../clock.ts";
import { ANSWER_BOUNDS, type AnswerBounds, AnswerBudget } from "./answer_budget.ts";

/**
 * What happened during one call. CCXT keeps only the last response on the instance, where concurrent calls overwrite
 * each other. Here each call has its own.
 */
export interface Call {
  /** Aborts the running request and prevents further ones. */
  readonly signal: AbortSignal | undefined;
  /** What its answers may take. Shared by its requests. */
  readonly budget: AnswerBudget;
  /** The answers to its requests, parsed, in the order in which they were sent; an empty place while there is none. */
  readonly answers: unknown[];
  /** Answers that are given again, in place of new ones; undefined when requests are sent. */
  readonly replayed: readonly unknown[] | undefined;
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
  /** All rows of the answers, as CCXT parses them and in the order in which they came; undefined when none was parsed. */
  rows: readonly unknown[] | undefined;
  /** The beginning of the last response's body, if that was not complete JSON. */
  text: string | undefined;
  /** What CCXT was told of the last response's body. */
  told: string | undefined;
  /** The place where the last response's body, which was complete, is not JSON; undefined if it is, or broke off. */
  excerpt: string | undefined;
  /** The host that its requests are expected to go to; undefined if none is known. */
  readonly lane: string | undefined;
  /** The host of the last request. */
  host: string | undefined;
  /** The hosts of all requests that were answered well. */
  readonly hosts: Set<string>;
  /** The proxy that the last request went through, without credentials. */
  via: string | undefined;
  /** Number of responses whose body was not complete JSON. */
  unreadable: number;
  /** Number of entries of a list that were left out, because they cannot be read. */
  oddEntries: number;
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
  if (call === undefined) return await runCall(undefined, () => runRequest(fn));
  const at = call.answers.length++;
  if (call.replayed !== undefined) return replayedAnswer(call.replayed, at) as T;
  const request = newCall(call.signal, call.budget, call.lane);
  try {
    const result = await calls.run(request, fn);
    call.answers[at] = result;
    if (request.host !== undefined) call.hosts.add(request.host);
    return result;
  } catch (error) {
    if (typeof error === "object" && error !== null) failedRequests.set(error, { ...request });
    throw error;
  } finally {
    const { hosts, rows, answers, oddEntries } = call;
    Object.assign(call, {
      ...request,
      ...{ hosts, rows, answers, oddEntries },
      requests: call.requests + request.requests,
      unreadable: call.unreadable + request.unreadable,
    });
    forgetBody(request);
  }
}

/** Runs `fn` with answers that were given before, in place of new ones. */
export async function replay<T>(answers: readonly unknown[], fn: () => Promise<T>): Promise<T> {
  const { signal, budget } = calls.getStore() ?? newCall(undefined);
  return await calls.run({ ...newCall(signal, budget), replayed: answers }, fn);
}

function replayedAnswer(answers: readonly unknown[], at: number): unknown {
  if (at in answers) return answers[at];
  throw new Error("Cannot give an answer again: the request has failed, or is a new one");
}

/** Whether a request failed with this error, and not who read its answer. */
export function isOfRequest(error: unknown): boolean {
  return typeof error === "object" && error !== null && failedRequests.has(error);
}

/** The request that threw this error, if any. Only the first time: its body is not kept as long as the error. */
export function failedRequest(error: unknown): Call | undefined {
  if (typeof error !== "object" || error === null) return undefined;
  const request = failedRequests.get(error);
  failedRequests.delete(error);
  return request;
}

/** Runs `fn` as one call, whose answers stay within bounds. */
export async function runCall<T>(
  signal: AbortSignal | undefined,
  fn: (call: Call) => Promise<T>,
  { bounds = ANSWER_BOUNDS.lists, clock, lane }: {
    readonly bounds?: AnswerBounds | undefined;
    readonly clock?: Clock;
    readonly lane?: string | undefined;
  } = {},
): Promise<T> {
  const call = newCall(signal, new AnswerBudget(bounds, clock), lane);
  try {
    return await calls.run(call, () => fn(call));
  } finally {
    call.budget.release();
    forgetBody(call);
  }
}

function newCall(
  signal: AbortSignal | undefined,
  budget = new AnswerBudget(ANSWER_BOUNDS.lists),
  lane?: string,
): Call {
  return {
    signal,
    budget,
    answers: [],
    replayed: undefined,
    requests: 0,
    status: undefined,
    retryAfter: undefined,
    dateMs: undefined,
    json: undefined,
    rows: undefined,
    text: undefined,
    told: undefined,
    excerpt: undefined,
    lane,
    host: undefined,
    hosts: new Set(),
    via: undefined,
    unreadable: 0,
    oddEntries: 0,
  };
}

/** Streams and signals opened during a call keep the call object alive. Without this, its rows would stay in memory. */
function forgetBody(call: Call): void {
  call.json = undefined;
  call.rows = undefined;
  call.text = undefined;
  call.told = undefined;
  call.answers.length = 0;
}
