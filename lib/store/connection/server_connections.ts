/** The connections to a server: the archive's connections, those of visitors, and own ones. @module */
import type postgres from "postgres";
import {
  DatabaseUrlError,
  readDatabaseUrl,
  type ServerAddress,
} from "../../config/database_url.ts";
import type { Clock } from "../../clock.ts";
import { type OwnConnection, type OwnLimits, OwnPool } from "./own_pool.ts";
import { type OnReach, ReachWatch } from "./reach_watch.ts";
import { isSocket, serverPools } from "./server_options.ts";
import { ServerPool } from "./server_pool.ts";
import type { ServerPoolOptions } from "./server_pool_options.ts";
import { neededSettings } from "./session_settings.ts";
import { StoreError } from "./store_error.ts";
import { VISITOR_STATEMENT_MS_MAX, VisitorPool } from "./visitor_pool.ts";

interface ServerConnectionsOptions {
  /** The most connections of the archive and of visitors together. */
  readonly poolMax: number;
  readonly clock: Clock;
  readonly onReach?: OnReach | undefined;
  /** Whether there are visitors. @default false */
  readonly isServed?: boolean;
  // deno-lint-ignore ban-types -- as in sql.ts.
  readonly common: postgres.Options<{}>;
  /** How long closing waits for running statements. */
  readonly closeTimeoutS: number;
}

interface ServerConnections {
  /** The archive's. */
  readonly main: ServerPool;
  /** Undefined where visitors have none. */
  readonly visiting: ServerPool | undefined;
  readonly visitors: VisitorPool | undefined;
  readonly openOwn: (limits: OwnLimits) => OwnConnection;
  readonly usesFiles: boolean;
  readonly close: () => Promise<void>;
}

/** One of so many connections is for visitors, and no more than a few: each may use a processor of the server. */
const VISITORS_ONE_OF = 4;
const VISITORS_MAX = 4;

/**
 * The server is not contacted yet.
 *
 * @throws StoreError `refused` when the URL cannot be used.
 */
export async function serverConnections(
  text: string,
  { poolMax, clock, onReach, isServed = false, common, closeTimeoutS }: ServerConnectionsOptions,
): Promise<ServerConnections> {
  const address = addressOf(text);
  const { hosts, target } = address;
  const pools = await serverPools(address, { clock, common });
  const needed = neededSettings(address.settings);
  const poolOf = (
    max: number,
    options:
      & { readonly statementMsMax?: number; readonly needed: Readonly<Record<string, string>> }
      & Pick<ServerPoolOptions, "watch" | "makeRoom" | "answerMsMax" | "isSpare">,
  ): ServerPool =>
    new ServerPool({
      clock,
      target,
      names: hosts.map(({ name, port }) => `${name}:${port}`),
      poolMax: max,
      open: (scope, at) => pools[at]!(scope, { max, statementMsMax: options.statementMsMax }),
      ...options,
    });
  const visitorsMax = isServed ? visitorsOf(poolMax) : 0;
  const owns = new Set<OwnPool>();
  const visitorsYield = async (): Promise<boolean> => await visitors?.makeRoom() === true;
  const makeRoom = async (others: number): Promise<boolean> => {
    if (await visitorsYield()) return true;
    if (others > 0) return false;
    const yielded = await Promise.all([...owns].map((own) => own.makeRoom()));
    return yielded.includes(true);
  };
  // That the server is away is told once, by whichever connection finds it. Visitors tell nothing.
  const watch = new ReachWatch(onReach);
  const main = poolOf(poolMax - visitorsMax, { watch, needed, makeRoom });
  // The server ends these statements, behind a pooler with the limit of their role.
  const { statement_timeout: _, ...neededOfLimited } = needed;
  const visiting = visitorsMax === 0 ? undefined : poolOf(visitorsMax, {
    statementMsMax: VISITOR_STATEMENT_MS_MAX,
    needed: neededOfLimited,
  });
  const openOwn = ({ statementMsMax, answerMsMax }: OwnLimits): OwnConnection => {
    const needs = { needed: neededOfLimited, statementMsMax, answerMsMax };
    const pool = poolOf(1, { ...needs, watch, makeRoom: visitorsYield, isSpare: true });
    const own = new OwnPool({ own: pool, main, clock });
    owns.add(own);
    return own;
  };
  const visitors = visiting && new VisitorPool({ visiting, archive: main, clock });
  const close = async (): Promise<void> => {
    const closed = [...owns].map((own) => own.close());
    await Promise.all([...closed, visiting?.end(0), main.end(closeTimeoutS)]);
  };
  return { main, visiting, visitors, openOwn, usesFiles: hosts.some(isSocket), close };
}

/** How many connections of a pool are for visitors. None of fewer than three, which they share. */
function visitorsOf(poolMax: number): number {
  // While one of the archive's own compresses a chunk, another must be left for pages.
  if (poolMax < 3) return 0;
  return Math.min(Math.max(1, Math.floor(poolMax / VISITORS_ONE_OF)), VISITORS_MAX);
}

/** @throws StoreError `refused` when the URL cannot be used. The configuration has been checked for that before. */
function addressOf(text: string): ServerAddress {
  try {
    return readDatabaseUrl(text);
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw new StoreError("refused", `Cannot use DATABASE_URL: expected ${error.message}`);
  }
}
