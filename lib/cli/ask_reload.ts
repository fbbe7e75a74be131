/** Asks the running daemon to read its settings again. @module */
import { type IncomingMessage, request, type RequestOptions } from "node:http";
import type { Config } from "../config/config.ts";
import { RELOAD_HEADER, RELOAD_HEADER_VALUE, type ReloadAnswer } from "../serve/reload_answer.ts";
import { controlSocketPath } from "../store/connection/data_dir.ts";
import { errorText } from "../text/redact.ts";
import { reachable } from "./healthcheck.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { wrap } from "./text.ts";

/** Many exchanges are opened one after the other on a small machine. */
const TIMEOUT_MS = 60_000;

/** No answer is longer: a file of settings has a few KiB. */
const ANSWER_CHARACTERS_MAX = 4_000_000;

/** Where the daemon listens. */
type DaemonPlace = Pick<
  Config,
  "databaseUrl" | "dataDir" | "httpHost" | "httpPort" | "httpToken"
>;

interface AskOptions {
  /** Whether it is no fault that no daemon runs: the settings then take effect at its next start. @default false */
  readonly mayBeStopped?: boolean;
  /** Whether the answer is printed as JSON. @default false */
  readonly isJson?: boolean;
}

/**
 * Asks the running daemon to read its settings again, and tells what came of it: over its unix socket where it has the
 * embedded database, else over HTTP. Fails if they are refused, or if no daemon answers.
 */
export async function askReload(
  { config }: { readonly config: DaemonPlace },
  shell: Shell,
  { mayBeStopped = false, isJson = false }: AskOptions = {},
): Promise<ExitCode> {
  const { where, ...target } = targetOf(config);
  let answer: ReloadAnswer;
  try {
    answer = await ask(target, shell);
  } catch (error) {
    if (mayBeStopped && isNobodyThere(error)) {
      shell.tell("No daemon runs here: this takes effect when one is started.");
      return EXIT.done;
    }
    const text =
      `Cannot reach the daemon at ${where}: ${errorText(error)}. Does it run, and with ` +
      "the same DATA_DIR, HTTP_HOST, HTTP_PORT and HTTP_TOKEN? A change of these needs a restart";
    shell.tell(wrap(text, shell.columns).join("\n"));
    return EXIT.failed;
  }
  if (isJson) shell.print(JSON.stringify(answer));
  else if (answer.ok) shell.print(linesOf(answer, shell.columns).join("\n"));
  if (answer.ok) return EXIT.done;
  if (!isJson) {
    shell.tell(["Not reloaded. The daemon keeps its old settings:", ...answer.problems].join("\n"));
  }
  return EXIT.failed;
}

interface Target extends RequestOptions {
  /** In words. */
  readonly where: string;
}

function targetOf({ databaseUrl, dataDir, httpHost, httpPort, httpToken }: DaemonPlace): Target {
  if (databaseUrl === undefined) {
    const socketPath = controlSocketPath(dataDir);
    return { socketPath, where: socketPath };
  }
  const host = reachable(httpHost);
  const headers = httpToken === undefined ? {} : { authorization: `Bearer ${httpToken}` };
  return {
    hostname: host.replace(/^\[|\]$/g, ""),
    port: httpPort,
    headers,
    where: `http://${host}:${httpPort}`,
  };
}

/** @throws Error when no daemon answers in time, or it cannot reload now. */
async function ask(target: RequestOptions, shell: Shell): Promise<ReloadAnswer> {
  const enough = new AbortController();
  const late = async (): Promise<never> => {
    await shell.clock.sleep(TIMEOUT_MS, { signal: enough.signal });
    throw new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
  };
  try {
    return await Promise.race([post(target, enough.signal), late()]);
  } finally {
    enough.abort();
  }
}

async function post(target: RequestOptions, signal: AbortSignal): Promise<ReloadAnswer> {
  const headers = {
    ...target.headers,
    [RELOAD_HEADER]: RELOAD_HEADER_VALUE,
    "content-length": 0,
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { ...target, headers, path: "/reload", method: "POST", signal };
    request(options, resolve).on("error", reject).end();
  });
  response.setEncoding("utf8");
  let text = "";
  for await (const chunk of response) {
    text += chunk;
    if (text.length > ANSWER_CHARACTERS_MAX) throw new Error("the answer is too long");
  }
  const document: unknown = JSON.parse(text);
  if (isAnswer(document)) return document;
  throw new Error(`it answered ${response.statusCode}: ${text}`);
}

function isAnswer(document: unknown): document is ReloadAnswer {
  return typeof document === "object" && document !== null && "ok" in document;
}

/** Whether nothing listens there. */
function isNobodyThere(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOENT";
}

/** The widest of the words before the lists. */
const LABEL_COLUMNS = 16;

function linesOf(
  { added, removed, changed, needsRestart }: Extract<ReloadAnswer, { readonly ok: true }>,
  columns: number,
): readonly string[] {
  const listed = (label: string, items: readonly string[]): readonly string[] =>
    items.flatMap((item) => wrap(item, columns - LABEL_COLUMNS)).map((line, at) =>
      (at === 0 ? label : "").padEnd(LABEL_COLUMNS) + line
    );
  const lines = [
    ...listed("  added", added),
    ...listed("  removed", removed.map((id) => `${id}: removed, its candles are kept`)),
    ...listed("  changed", changed),
    ...listed("  needs restart", needsRestart),
  ];
  return lines.length === 0 ? ["Reloaded: nothing has changed."] : ["Reloaded:", ...lines];
}
