/** `titan10 status --watch`: prints the status again and again until it is stopped. @module */
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
import { errorText } from "../text/redact.ts";

const REDRAW_MS = 2_000;

/** If there is no answer within this time, the source counts as unavailable. */
const ANSWER_MS_MAX = 10_000;

/** The result of one reading. */
interface Look {
  /** The newest document; undefined before the first answer. */
  readonly document: Status | undefined;
  /** Why the document is not current, or another problem. */
  readonly trouble: string | undefined;
}

/** Where the status is read from. */
interface Source {
  look(): Promise<Look>;
  close(): Promise<void>;
}

/**
 * Shows the status until a signal. On a terminal it uses a separate screen and restores the old one at the end.
 * Elsewhere it prints texts or, with `--json`, one document per line. The source may become unavailable and come back.
 */
export async function watchStatus(
  shell: Shell,
  ground: Ground,
  { isJson, problemOf, shown }: {
    readonly isJson: boolean;
    /** Why nothing can be shown of a document. Only the first one is checked: an archive may change. */
    readonly problemOf: (document: Status) => string | undefined;
    /** Which part of the document is shown. */
    readonly shown: (document: Status) => Status;
  },
): Promise<ExitCode> {
  const source = ground.config.databaseUrl === undefined
    ? daemonSource(ground)
    : await serverSource(ground);
  const { screen } = shell;
  let isChecked = false;
  const show = isJson || screen === undefined
    ? (look: Look) => printLook(shell, look, { isJson })
    : (look: Look) => drawLook(shell, screen, look);
  const leave = isJson || screen === undefined ? () => {} : enter(screen);
  try {
    while (!shell.signal.aborted) {
      // A signal must not wait for an answer.
      const look = await Promise.race([source.look(), aborted(shell.signal)]);
      if (look !== undefined) {
        const problem = isChecked || look.document === undefined
          ? undefined
          : problemOf(look.document);
        if (problem !== undefined) throw new Error(problem);
        isChecked ||= look.document !== undefined;
        show({ ...look, document: look.document && shown(look.document) });
      }
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
 * Asks the daemon that holds the embedded database. If no daemon runs, the database is not opened here, because then no
 * daemon could start.
 */
function daemonSource({ config, clock }: Ground): Source {
  const ask = async (): Promise<Status> => {
    try {
      return await askDaemon(config.dataDir, "/status") as Status;
    } catch (error) {
      const text = errorText(error);
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
  // What is shown says so.
  const database = await openConfigured(ground, { awayIsLogged: "never" });
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

/** Repeats the newest answer until a newer one arrives. */
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
        const text = errorText(error);
        return { document, trouble: `Away: ${text}` };
      }
    },
  };
}

/**
 * Switches to a separate screen. Returns a function that restores the old one, which also happens when the process
 * ends.
 */
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

/** The lines of the screen, which never exceed its rows or columns. */
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
