/** `titan10 events`: what has happened to the archive, the newest last. @module */
import { type EventEntry, type EventsDocument, readEventsDocument } from "../serve/news.ts";
import { requireArchive } from "../store/connection/migrations.ts";
import { printable } from "../text/printable.ts";
import { ConfigError } from "../config/config.ts";
import { askDaemon } from "./control.ts";
import { filterOf } from "./series_filter.ts";
import { type Flags, readGround } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";
import { count, minute, wrap } from "./text.ts";
import { withArchive } from "./with_archive.ts";

/** How many are read at once, of which the flags let some through. */
const READ_MAX = 500;

/** Prints the events, from the database or from the daemon that holds it. */
export async function events(shell: Shell, flags: Flags): Promise<ExitCode> {
  const ground = await readGround(shell, flags, { logLevelDefault: "warning" });
  const rowsMax = readLimit(flags["limit"]);
  const filter = filterOf(flags, ground.config);
  const passes = ({ exchange, symbol }: EventEntry): boolean => {
    if (exchange === null || symbol === null) {
      return filter.symbols === undefined &&
        (exchange === null ? filter.exchanges === undefined : filter.passesExchange(exchange));
    }
    return filter.passes({ exchange, symbol });
  };
  const shown = await withArchive(ground, {
    mustExist: true,
    here: async (database) => {
      await requireArchive(database);
      const read = (query: URLSearchParams): Promise<EventsDocument> =>
        readEventsDocument(database, query);
      return await newestOf(read, { passes, rowsMax });
    },
    daemon: async () => {
      const read = async (query: URLSearchParams): Promise<EventsDocument> =>
        await askDaemon(ground.config.dataDir, `/eventlog?${query}`) as EventsDocument;
      return await newestOf(read, { passes, rowsMax });
    },
  });
  const isFiltered = flags["exchanges"] !== undefined || flags["symbols"] !== undefined;
  if (flags["json"] === true) shell.print(JSON.stringify({ events: shown }));
  else if (shown.length > 0) { for (const one of shown.toReversed()) print(shell, one); }
  else if (isFiltered) shell.print("No event of these exchanges or symbols is kept.");
  else shell.print("Nothing has happened yet.");
  return EXIT.done;
}

/** The newest that pass, newest first. Reads on until there are enough: all that is kept is a few thousand rows. */
async function newestOf(
  read: (query: URLSearchParams) => Promise<EventsDocument>,
  { passes, rowsMax }: {
    readonly passes: (event: EventEntry) => boolean;
    readonly rowsMax: number;
  },
): Promise<readonly EventEntry[]> {
  const query = new URLSearchParams({ limit: String(READ_MAX) });
  const found: EventEntry[] = [];
  for (;;) {
    const { events } = await read(query);
    for (const one of events) if (passes(one)) found.push(one);
    const last = events.at(-1);
    if (found.length >= rowsMax || events.length < READ_MAX || last === undefined) {
      return found.slice(0, rowsMax);
    }
    query.set("before", last.time);
  }
}

function readLimit(text: unknown): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= READ_MAX) return limit;
  const allowed = `a whole number from 1 to ${READ_MAX}`;
  throw new ConfigError([{ variable: "--limit", value: String(text), allowed }]);
}

function print(shell: Shell, event: EventEntry): void {
  const time = minute(event.time);
  const columns = Math.max(80, shell.screen?.columns ?? 80) - time.length - 2;
  const lines = wrap(printable(`${event.text}${extrasOf(event)}`), columns);
  for (const [at, line] of lines.entries()) {
    shell.print(`${at === 0 ? time : " ".repeat(time.length)}  ${line}`);
  }
}

function extrasOf({ times, since, candles }: EventEntry): string {
  const extras = [
    ...(candles === null ? [] : [`${count(candles)} candle${candles === 1 ? "" : "s"}`]),
    ...(times === 1 ? [] : [`${count(times)} times since ${minute(since)}`]),
  ];
  return extras.length === 0 ? "" : ` (${extras.join(", ")})`;
}
