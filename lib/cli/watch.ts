/** `titan10 status --watch`: the status, drawn anew until somebody stops it. @module */
import { newestCandlesMax } from "../exchange/limits.ts";
import { type Ground, openConfigured } from "../daemon/open_archive.ts";
import { withDeadline } from "../policy/deadline.ts";
import { printable } from "../text/printable.ts";
import { readStatus, type Status } from "../serve/status.ts";
import { askDaemon } from "./control.ts";
import { askHealth } from "./healthcheck.ts";
import { EXIT, type ExitCode, type Screen, type Shell } from "./shell.ts";
import { renderStatus } from "./status_view.ts";
import { painter } from "./terminal.ts";
import { wrap } from "./text.ts";

const REDRAW_MS = 2_000;

/** Whoever does not answer within this is away. */
const ANSWER_MS_MAX = 10_000;

/** What one look found. */
interface Look {
  /** The newest document there is; undefined before the first answer. */
  readonly document: Status | undefined;
  /** Why it is not of this moment, or what else is amiss. */
  readonly trouble: string | undefined;
}

/** Where the status comes from, again and again. */
interface Source {
  look(): Promise<Look>;
  close(): Promise<void>;
}

/**
 * Shows the status until a signal: on a screen of its own at a terminal, which is left as it was found; as texts or, with
 * `--json`, as a document a line elsewhere. Who answers may go away and come back.
 */
export async function watchStatus(
  shell: Shell,
  ground: Ground,
  { isJson }: { readonly isJson: boolean },
): Promise<ExitCode> {
  const source = ground.config.databaseUrl === undefined
    ? daemonSource(ground)
    : await serverSource(ground);
  const { screen } = shell;
  const show = isJson || screen === undefined
    ? (look: Look) => printLook(shell, look, { isJson })
    : (look: Look) => drawLook(shell, screen, look);
  const leave = isJson || screen === undefined ? () => {} : enter(screen);
  try {
    while (!shell.signal.aborted) {
      // A stop is not kept waiting for an answer.
      const look = await Promise.race([source.look(), aborted(shell.signal)]);
      if (look !== undefined) show(look);
      await shell.clock.sleep(REDRAW_MS, { signal: shell.signal }).catch(() => {});
    }
  } finally {
    leave();
    await source.close();
  }
  return EXIT.done;
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

/**
 * The embedded database belongs to the daemon. Without one it is not opened here, or this would hold it, and a daemon
 * could not start.
 */
function daemonSource({ config, clock }: Ground): Source {
  const ask = async (): Promise<Status> => {
    try {
      return await askDaemon(config.dataDir, "/status") as Status;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      throw new Error(`${text}. titan10 run starts one`, { cause: error });
    }
  };
  return remembering(() => withDeadline(ANSWER_MS_MAX, ask, { clock, name: "the daemon" }), {
    close: () => Promise.resolve(),
    also: () => Promise.resolve(undefined),
  });
}

async function serverSource(ground: Ground): Promise<Source> {
  const { config, clock } = ground;
  const database = await openConfigured(ground);
  const read = (): Promise<Status> =>
    readStatus({ config, database, nowMs: clock.now(), newestCandlesMax });
  return remembering(() => withDeadline(ANSWER_MS_MAX, read, { clock, name: "the database" }), {
    close: () => database.close(),
    also: async () => {
      const health = await askHealth(config, clock);
      return health.ok ? undefined : `The daemon is away, or not well: ${health.why}`;
    },
  });
}

/** Shows the newest answer for as long as no newer one comes. */
function remembering(
  read: () => Promise<Status>,
  { close, also }: {
    readonly close: () => Promise<void>;
    readonly also: () => Promise<string | undefined>;
  },
): Source {
  let document: Status | undefined;
  return {
    close,
    look: async () => {
      try {
        document = await read();
        return { document, trouble: await also() };
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        return { document, trouble: `Away: ${text}` };
      }
    },
  };
}

/** Takes the terminal; returns what gives it back, which also happens when the process ends in between. */
function enter({ write }: Screen): () => void {
  write("\x1b[?1049h\x1b[?25l");
  const leave = (): void => {
    globalThis.removeEventListener("unload", leave);
    write("\x1b[?25h\x1b[?1049l");
  };
  globalThis.addEventListener("unload", leave);
  return leave;
}

function drawLook(shell: Shell, screen: Screen, look: Look): void {
  const lines = frame(look, {
    nowMs: shell.clock.now(),
    columns: screen.columns,
    rows: screen.rows,
    hasColor: shell.hasPrintColor,
  });
  screen.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\n")}\x1b[J`);
}

interface FrameOptions {
  readonly nowMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly hasColor: boolean;
}

/** What the screen shows of a look: never more rows, nor wider ones, than it has. */
export function frame(
  { document, trouble }: Look,
  { nowMs, columns, rows, hasColor }: FrameOptions,
): readonly string[] {
  const paint = painter(hasColor);
  const time = new Date(nowMs).toISOString().slice(11, 19);
  const lines = [`${time} UTC, every ${REDRAW_MS / 1000} s. Ctrl-C ends it.`];
  if (trouble !== undefined) {
    const wrapped = wrap(printable(trouble), columns).slice(0, 3);
    for (const line of wrapped) lines.push(paint("red", line));
  }
  if (document !== undefined) {
    const left = rows - lines.length - 1;
    const text = renderStatus(document, { nowMs, columns, rows: left, paint });
    return [...lines, "", ...text.split("\n")].slice(0, rows);
  }
  return lines.slice(0, rows);
}

function printLook(
  shell: Shell,
  { document, trouble }: Look,
  { isJson }: { readonly isJson: boolean },
): void {
  const time = new Date(shell.clock.now()).toISOString();
  if (trouble !== undefined) shell.tell(printable(`${time} ${trouble}`));
  if (document === undefined) return;
  if (isJson) shell.print(JSON.stringify(document));
  else shell.print(`${time}\n${renderStatus(document, { nowMs: shell.clock.now() })}\n`);
}
