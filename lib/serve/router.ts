/** Finds the endpoint that a request names, and answers in its place when it must not or cannot. @module */
import { createHash, timingSafeEqual } from "node:crypto";
import { DeadlineError } from "../policy/deadline.ts";
import { NoSlotError } from "../policy/slots.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import type { Logger } from "../telemetry/log.ts";
import { type Answer, type Asked, jsonAnswer, refusal } from "./http_answer.ts";
import { BadQueryError } from "./chart_answer.ts";
import { isHost } from "./host_names.ts";
import { securityHeaders } from "./page_files.ts";
import type { Route } from "./routes.ts";
import { SchemaBehindError } from "./status.ts";

interface RouterOptions {
  /**
   * The token that requests must have, except for open routes; undefined when none is needed.
   */
  readonly token?: string | undefined;
  /** Whether the value of a header Host is accepted. @default any is */
  readonly acceptsHost?: ((host: string) => boolean) | undefined;
  readonly log: Logger;
}

const HEADERS = { ...securityHeaders(false), "cache-control": "no-store" };

const NOTHING = new Uint8Array(0);

/** Returns a function that answers every request. It never throws. */
export function router(
  routes: readonly Route[],
  { token, acceptsHost = () => true, log }: RouterOptions,
): (asked: Asked) => Answer | Promise<Answer> {
  const byPath = new Map(routes.map((route) => [route.path, route]));
  const refusalOf = ({ host, method, authorization }: Asked, route?: Route): Answer | undefined => {
    if (host !== undefined && !isHost(host)) return refusal(400, "The header Host holds no host");
    if (host !== undefined && !acceptsHost(host)) {
      return refusal(421, `The host ${host} is not accepted here: name it in HTTP_ALLOWED_HOSTS`);
    }
    // Check the token before the path, so that clients without it do not learn which paths exist.
    if (token !== undefined && route?.isOpen !== true && !isToken(authorization, token)) {
      const error = "Bring the header Authorization: Bearer with the HTTP_TOKEN";
      return refusal(401, error, { "www-authenticate": 'Bearer realm="titan10"' });
    }
    if (route === undefined) return undefined;
    const allowed = route.method === undefined ? ["GET", "HEAD"] : [route.method];
    if (allowed.includes(method)) return undefined;
    return refusal(405, `Method ${method} is not allowed`, { allow: allowed.join(", ") });
  };
  const answerOf = (asked: Asked): Answer | Promise<Answer> => {
    const route = byPath.get(asked.path);
    const refused = refusalOf(asked, route);
    if (refused !== undefined) return refused;
    if (route === undefined) {
      return jsonAnswer({ error: "Not found", paths: [...byPath.keys()] }, { status: 404 });
    }
    const failed = (error: unknown): Answer => failure(error, { asked, log });
    try {
      const answer = route.answer(asked);
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch (error) {
      return failed(error);
    }
  };
  return (asked) => {
    const answer = answerOf(asked);
    return answer instanceof Promise
      ? answer.then((answer) => dressed(answer, asked))
      : dressed(answer, asked);
  };
}

/** With the headers that all answers have, and without a body where none is asked for. */
function dressed({ status, headers, body }: Answer, { method }: Asked): Answer {
  const all = { ...HEADERS, ...headers };
  if (method !== "HEAD" || !(body instanceof ReadableStream)) return { status, headers: all, body };
  void body.cancel().catch(() => {});
  const { "transfer-encoding": _, ...whole } = all as Answer["headers"];
  return { status, headers: whole, body: NOTHING };
}

const AWAY = "the database cannot be reached. Trying again";

function failure(
  error: unknown,
  { asked: { path, signal }, log }: { readonly asked: Asked; readonly log: Logger },
): Answer {
  // Whoever asked has gone, and reads none of it.
  if (signal.aborted) return refusal(503, `Cannot answer ${path}: nobody waits for it`);
  if (error instanceof BadQueryError) return refusal(error.status, error.message);
  if (error instanceof NoSlotError || error instanceof DeadlineError) {
    const why = error instanceof NoSlotError ? "too many ask" : "the database is busy";
    return refusal(503, `Cannot answer ${path}: ${why}. Ask again in a few seconds`, {
      "retry-after": "5",
    });
  }
  const isBehind = error instanceof SchemaBehindError;
  const why = isBehind ? error.message : isServerAway(error) ? AWAY : undefined;
  // That it is away was logged already.
  log[why === undefined ? "warn" : "debug"]("a request failed", { path, error });
  // The reason is only in the log, because it may name the database, which clients need not know.
  return refusal(503, `Cannot answer ${path}: ${why ?? "see the log"}`);
}

/** Compares digests, so that the time it takes does not depend on the token, not even on its length. */
function isToken(authorization: string | undefined, token: string): boolean {
  const brought = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  return timingSafeEqual(sha256(brought), sha256(token));
}

function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
