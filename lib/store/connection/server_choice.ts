/** Chooses the server that statements are sent to, among those of a database URL. @module */
import type { Target } from "../../config/database_parameters.ts";
import { isCrowded } from "./connection_room.ts";
import { refusesSettings } from "./session_settings.ts";
import type { Sql } from "./sql.ts";
import { attempt, codeOf, isConnectionLost, NO_HOST, StoreError } from "./store_error.ts";
import { errorText } from "../../text/redact.ts";

/** A server that answers. */
export interface ServerState {
  readonly isStandby: boolean;
  /** The same for one server, by whatever name it is reached. */
  readonly identity: string;
  /** The timeline of a primary, which a standby that is promoted begins anew; undefined where it cannot be read. */
  readonly timeline: number | undefined;
}

/** Asks a server what it is. */
export async function readServerState(sql: Sql): Promise<ServerState> {
  // Its address would be another one by another name.
  const [row] = await sql<{ standby: boolean; identity: string }[]>`
    select pg_is_in_recovery() as standby,
           concat(extract(epoch from pg_postmaster_start_time()), ' ', current_setting('port')) as identity`;
  if (row === undefined) throw new Error("the answer holds no rows");
  const { standby, identity } = row;
  const timeline = standby ? undefined : await readTimeline(sql);
  return { isStandby: standby, identity, timeline };
}

/** WAL files are named after it. */
async function readTimeline(sql: Sql): Promise<number | undefined> {
  try {
    const [row] = await sql<{ file: string }[]>`
      select pg_walfile_name(pg_current_wal_lsn()) as file`;
    return row === undefined ? undefined : parseInt(row.file.slice(0, 8), 16);
  } catch (error) {
    if (isConnectionLost(error)) throw error;
    return undefined;
  }
}

/**
 * Two servers take writes, each without those of the other: a standby was promoted while its primary lived on. What is
 * written to either is lost when the other one is kept.
 */
export class TwoPrimariesError extends Error {
  override readonly name = "TwoPrimariesError";
  readonly code = NO_HOST;
}

/** @throws TwoPrimariesError when there are several primaries among the servers that answer. */
export async function assertOnePrimary(
  { names, ask }: Pick<ServerChoice, "names" | "ask">,
): Promise<void> {
  const states = await Promise.allSettled(names.map((_, at) => ask(at)));
  const primaries = states.flatMap((state, at) => {
    if (state.status === "rejected" || state.value.isStandby) return [];
    return [{ name: names[at]!, ...state.value }];
  });
  if (new Set(primaries.map(({ identity }) => identity)).size < 2) return;
  const found = primaries.map(({ name, timeline }) => `${name} (timeline ${timeline ?? "unknown"})`)
    .join(", ");
  throw new TwoPrimariesError(
    `several hosts of DATABASE_URL act as primary (split brain): ${found}. Stop the one that must not be written to`,
  );
}

interface ServerChoice {
  /** The names of the servers, in the order in which they are tried. */
  readonly names: readonly string[];
  readonly target: Target;
  /** Asks one of them. */
  readonly ask: (at: number) => Promise<ServerState>;
}

/** None of the servers can be used for now. */
class NoServerFoundError extends Error {
  override readonly name = "NoServerFoundError";
  readonly code = NO_HOST;
}

/**
 * The place of the first server that is what the target says.
 *
 * @throws NoServerFoundError when there is none, with what was found at each.
 * @throws Error of a server that lets in no more connections, when no other one is what the target says.
 * @throws Error of a server that refuses us, as libpq does: the others are not tried then.
 */
export async function chooseServer({ names, target, ask }: ServerChoice): Promise<number> {
  const standbys: number[] = [];
  const primaries: number[] = [];
  const found: string[] = [];
  let crowded: unknown;
  for (const [at, name] of names.entries()) {
    try {
      const { isStandby } = await attempt("ask", () => ask(at));
      (isStandby ? standbys : primaries).push(at);
      found.push(`${name} is a ${isStandby ? "standby" : "primary"}`);
    } catch (error) {
      const cause = causeOf(error);
      const isRefused = !(error instanceof StoreError) || error.kind === "refused";
      if (isRefused || refusesSettings(cause)) throw cause;
      if (isCrowded(cause)) crowded ??= cause;
      const text = textOf(cause);
      // A connection that was refused names the server itself.
      found.push(text.startsWith(`${name}: `) ? text : `${name}: ${text}`);
      continue;
    }
    if (target === "any" || (target === "primary") === primaries.includes(at)) return at;
  }
  const [primary] = primaries;
  if (target === "prefer-standby" && primary !== undefined) return primary;
  // It may be the one that is wanted, and have room soon.
  if (crowded !== undefined) throw crowded;
  const wanted = WANTED[target];
  throw new NoServerFoundError(`no host of DATABASE_URL ${wanted}: ${found.join("; ")}`);
}

const WANTED: Readonly<Record<Target, string>> = {
  "any": "answers",
  "primary": "is a primary",
  "standby": "is a standby",
  "prefer-standby": "answers",
};

function causeOf(error: unknown): unknown {
  return error instanceof StoreError ? error.cause ?? error : error;
}

function textOf(error: unknown): string {
  const text = errorText(error);
  return text || (codeOf(error) ?? "no answer");
}
