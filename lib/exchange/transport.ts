/** Sends the requests of one exchange, and reads their answers within the budget of their call. @module */
import type { Bans } from "./bans.ts";
import { readText } from "./bounded_body.ts";
import { type Call, currentCall } from "./call.ts";
import type { Denials } from "./denial.ts";
import { parseExactJson } from "./exact_json.ts";
import { type Connections, placeOf } from "./proxy.ts";
import { brokenPlace } from "./whole_answer.ts";
import { AnswerTooLargeError } from "./answer_budget.ts";

/** The part of a response that CCXT uses. */
export type Answer = Pick<Response, "status" | "statusText" | "headers" | "text" | "arrayBuffer">;

/** CCXT gets no more of a body than this: it quotes it in errors, and compares it with known errors one by one. */
const TOLD_CHARACTERS_MAX = 64 * 1024;

/** Of a body that should be JSON and is not, less: CCXT may take it for a list, of characters. */
const TOLD_TEXT_CHARACTERS_MAX = 4 * 1024;

/** `fetch` for one exchange: aborted with its call, through its proxy, without following redirects. */
export function transport(
  { connections, bans, denials }: {
    readonly connections: Connections;
    readonly bans: Bans | undefined;
    readonly denials: Denials | undefined;
  },
  proxyFor: (url: string) => string | undefined,
): (url: string, init: RequestInit) => Promise<Answer> {
  return async (url, init) => {
    const call = currentCall();
    if (call === undefined) throw new Error("Cannot send a request outside of a call");
    const { signal, budget } = call;
    signal?.throwIfAborted();
    const proxy = proxyFor(url);
    const { host, via } = placeOf(url, proxy);
    bans?.assertOpen(host);
    denials?.assertOpen(host);
    Object.assign(call, {
      ...{ host, via, requests: call.requests + 1 },
      ...{ status: undefined, retryAfter: undefined, dateMs: undefined },
      ...{ json: undefined, text: undefined, excerpt: undefined, told: undefined },
    });
    // The call's signal replaces CCXT's own timer, which stops at the headers: a stalled body would hang for ever.
    const { status, statusText, headers, text } = await budget.request(async (signal) => {
      const response = await connections.fetch(url, {
        method: init.method ?? "GET",
        headers: init.headers ?? {},
        body: init.body ?? null,
        redirect: "manual",
        signal,
      }, proxy);
      const { status, statusText, headers } = response;
      noteHead(status, headers, call);
      return { status, statusText, headers, text: await readText(response, { budget, signal }) };
    }, signal);
    const told = noteText(text.trim(), call);
    return {
      ...{ status, statusText, headers },
      text: () => Promise.resolve(told),
      arrayBuffer: () => Promise.resolve(new TextEncoder().encode(told).buffer),
    };
  };
}

function noteHead(status: number, headers: Headers, call: Call): void {
  call.status = status;
  call.retryAfter = headers.get("retry-after") ?? undefined;
  const dateMs = Date.parse(headers.get("date") ?? "");
  call.dateMs = Number.isNaN(dateMs) ? undefined : dateMs;
}

/**
 * Notes what a body says. Returns what CCXT is told of it, to which {@linkcode Call.json} belongs. Uses no regular
 * expressions, because V8 keeps the whole text that the last one has matched.
 */
function noteText(text: string, call: Call): string {
  try {
    if (text.startsWith("{") || text.startsWith("[")) call.json = parseExactJson(text, call.budget);
  } catch (error) {
    if (error instanceof AnswerTooLargeError) throw error;
    const place = brokenPlace(text, error);
    call.excerpt = place === undefined ? undefined : copied(place);
  }
  if (call.json === undefined) {
    call.unreadable++;
    call.text = copied(text.slice(0, TOLD_CHARACTERS_MAX));
  }
  const isText = call.json === undefined && (call.status ?? 0) < 400;
  // Trimmed, because CCXT trims it, too.
  const told = text.slice(0, isText ? TOLD_TEXT_CHARACTERS_MAX : TOLD_CHARACTERS_MAX).trim();
  call.told = copied(told);
  return call.told;
}

/** In V8 a slice of a text would keep the whole text in memory. */
function copied(text: string): string {
  return JSON.parse(JSON.stringify(text));
}
