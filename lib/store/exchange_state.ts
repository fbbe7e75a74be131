/** The state of an exchange that a restart must not lose: its ban, its circuit breaker, its last error. @module */
import type { Database } from "./connection/database.ts";
import { epochMs, storableText } from "./parameters.ts";

export interface ExchangeState {
  readonly exchange: string;
  readonly breaker: "closed" | "open" | "half_open";
  /** No request may be sent before this time. Milliseconds. */
  readonly bannedUntilMs: number | undefined;
  readonly banReason: string | undefined;
  /** Each host's last ban, over or not. */
  readonly bans: readonly StoredBan[];
  readonly lastError: string | undefined;
  /** Milliseconds. It is kept after the exchange has answered again. */
  readonly lastErrorAtMs: number | undefined;
}

/** A ban by one host. */
interface StoredBan {
  /** Undefined if it is not known which host it was. */
  readonly host: string | undefined;
  /** Milliseconds. */
  readonly untilMs: number;
  readonly reason: string;
}

const TEXT_CHARACTERS_MAX = 1_000;

/** The state of all exchanges that were ever used. */
export async function readExchangeStates(database: Database): Promise<readonly ExchangeState[]> {
  return await database.run("read the state of the exchanges", async (sql) => {
    const rows = await sql<ExchangeRow[]>`
      select exchange, breaker, banned_until, ban_reason, banned_hosts, last_error, last_error_at
      from exchanges order by exchange`;
    return rows.map((row) => ({
      exchange: row.exchange,
      breaker: row.breaker,
      bannedUntilMs: epochMs(row.banned_until),
      banReason: row.ban_reason ?? undefined,
      bans: bansOf(row),
      lastError: row.last_error ?? undefined,
      lastErrorAtMs: epochMs(row.last_error_at),
    }));
  });
}

/** Where a state belongs: what an exchange says of one address says nothing of another. */
export interface EgressPlace {
  readonly exchange: string;
  /** The name of the address by which the exchange is reached. */
  readonly egress: string;
}

/** What an exchange has said to one egress and still means. */
export interface EgressState extends EgressPlace {
  /** Whether a live node asks the exchange by it. */
  readonly isInUse: boolean;
  /** The latest of the bans; undefined if there was none. Milliseconds. */
  readonly bannedUntilMs: number | undefined;
  readonly bans: readonly StoredBan[];
  readonly denial: StoredDenial | undefined;
}

/** That an exchange refuses an address. */
interface StoredDenial {
  readonly host: string;
  /** In the words of the host. */
  readonly why: string;
  readonly sinceMs: number;
  /** When that is not known any more, unless it is refused again. Milliseconds. */
  readonly untilMs: number;
}

/** What each egress has been told by an exchange, or by all of them. */
export async function readEgressStates(
  database: Database,
  exchange?: string,
): Promise<readonly EgressState[]> {
  return await database.run("read the state of the egresses", async (sql) => {
    const rows = await sql<EgressRow[]>`
      select exchange, egress, titan10_is_in_use(exchange, egress) as in_use, banned_until, ban_reason, banned_hosts,
             denied_host, denied_why, denied_since, denied_until
      from exchange_egress where exchange = coalesce(${exchange ?? null}::text, exchange)
      order by exchange, egress`;
    return rows.map((row) => ({
      exchange: row.exchange,
      egress: row.egress,
      isInUse: row.in_use,
      bannedUntilMs: epochMs(row.banned_until),
      bans: bansOf(row),
      denial: deniedBy(row),
    }));
  });
}

/** Stores a ban. A shorter ban does not replace a longer one. */
export async function writeBan(
  database: Database,
  { exchange, egress }: EgressPlace,
  { host, untilMs, reason: text }: StoredBan,
): Promise<void> {
  await database.run(`keep the ban of ${exchange}`, async (sql) => {
    const reason = storableText(text, TEXT_CHARACTERS_MAX);
    const name = host === undefined ? null : storableText(host, TEXT_CHARACTERS_MAX);
    await sql`
      insert into exchange_egress as known
        (exchange, egress, banned_until, ban_reason, banned_hosts, last_error, last_error_at)
      select ${exchange}, ${egress}, to_timestamp(${untilMs}::float8 / 1000.0), ${reason},
             case when ${name}::text is null then '{}'
                  else jsonb_build_object(${name}::text,
                    jsonb_build_object('until', ${untilMs}::float8, 'reason', ${reason}::text)) end,
             ${reason}, now()
      on conflict (exchange, egress) do update
      set banned_until = greatest(known.banned_until, excluded.banned_until),
          banned_hosts = known.banned_hosts || case
            when (known.banned_hosts -> ${name}::text ->> 'until')::float8 > ${untilMs}::float8 then '{}'
            else excluded.banned_hosts end,
          ban_reason = excluded.ban_reason, last_error = excluded.last_error,
          last_error_at = excluded.last_error_at`;
  });
}

/** Stores that an exchange refuses an address. */
export async function writeDenial(
  database: Database,
  { exchange, egress }: EgressPlace,
  { host, why, sinceMs, untilMs }: StoredDenial,
): Promise<void> {
  await database.run(`keep the refusal of ${exchange}`, async (sql) => {
    await sql`
      insert into exchange_egress (exchange, egress, denied_host, denied_why, denied_since, denied_until)
      values (${exchange}, ${egress}, ${storableText(host, TEXT_CHARACTERS_MAX)},
              ${storableText(why, TEXT_CHARACTERS_MAX)}, to_timestamp(${sinceMs}::float8 / 1000.0),
              to_timestamp(${untilMs}::float8 / 1000.0))
      on conflict (exchange, egress) do update
      set denied_host = excluded.denied_host, denied_why = excluded.denied_why,
          denied_since = excluded.denied_since, denied_until = excluded.denied_until`;
  });
}

/** Stores that a host which refused an address answers it again. */
export async function clearDenial(
  database: Database,
  { exchange, egress, host }: EgressPlace & { readonly host: string },
): Promise<void> {
  await database.run(`keep that ${exchange} answers`, async (sql) => {
    await sql`
      update exchange_egress
      set denied_host = null, denied_why = null, denied_since = null, denied_until = null
      where exchange = ${exchange} and egress = ${egress}
        and denied_host = ${storableText(host, TEXT_CHARACTERS_MAX)}`;
  });
}

/** Stores the breaker's state. */
export async function writeBreaker(
  database: Database,
  { exchange, egress }: EgressPlace,
  breaker: ExchangeState["breaker"],
): Promise<void> {
  await database.run(`keep the breaker of ${exchange}`, async (sql) => {
    await sql`
      insert into exchange_egress (exchange, egress, breaker) values (${exchange}, ${egress}, ${breaker})
      on conflict (exchange, egress) do update set breaker = excluded.breaker`;
  });
}

/** The exchanges of which a breaker is stored as not closed, of whichever egress. */
export async function readOpenBreakers(database: Database): Promise<readonly string[]> {
  return await database.run("read which breakers are open", async (sql) => {
    // That of an egress which nobody used for a while is not among the worst that `exchanges` has.
    const rows = await sql<{ readonly exchange: string }[]>`
      select exchange from exchanges where breaker <> 'closed'
      union select exchange from exchange_egress where breaker <> 'closed'
      order by exchange`;
    return rows.map(({ exchange }) => exchange);
  });
}

/** Stores that the breaker of an egress is closed, and those that nobody judges any more. */
export async function closeBreaker(
  database: Database,
  { exchange, egress }: EgressPlace,
): Promise<void> {
  await database.run(`keep that the breaker of ${exchange} is closed`, async (sql) => {
    await sql`
      update exchange_egress set breaker = 'closed'
      where exchange = ${exchange} and breaker <> 'closed'
        and (egress = ${egress} or not titan10_is_in_use(exchange, egress))`;
    // Of an archive from before.
    await sql`
      update exchanges as known set breaker = 'closed'
      where exchange = ${exchange} and breaker <> 'closed'
        and not exists (select from exchange_egress as other
                        where other.exchange = known.exchange and other.breaker <> 'closed')`;
  });
}

/** Stores the last error of an exchange, for people to read. */
export async function writeExchangeError(
  database: Database,
  { exchange, egress }: EgressPlace,
  message: string,
): Promise<void> {
  await database.run(`keep the last error of ${exchange}`, async (sql) => {
    await sql`
      insert into exchange_egress (exchange, egress, last_error, last_error_at)
      values (${exchange}, ${egress}, ${storableText(message, TEXT_CHARACTERS_MAX)}, now())
      on conflict (exchange, egress) do update
      set last_error = excluded.last_error, last_error_at = excluded.last_error_at`;
  });
}

function deniedBy(
  { denied_host: host, denied_why: why, denied_since, denied_until }: EgressRow,
): StoredDenial | undefined {
  const [sinceMs, untilMs] = [epochMs(denied_since), epochMs(denied_until)];
  return host === null || why === null || sinceMs === undefined || untilMs === undefined
    ? undefined
    : { host, why, sinceMs, untilMs };
}

/** A longer ban than any host's was stored before bans were kept by host. */
function bansOf({ banned_until, ban_reason, banned_hosts }: BanRow): readonly StoredBan[] {
  const bans = Object.entries(banned_hosts)
    .map(([host, { until, reason }]) => ({ host, untilMs: until, reason }));
  const untilMs = epochMs(banned_until);
  // The database's times are not exact to the millisecond.
  if (untilMs === undefined || bans.some((ban) => ban.untilMs >= untilMs - 1)) return bans;
  return [...bans, { host: undefined, untilMs, reason: ban_reason ?? "banned before" }];
}

interface BanRow {
  readonly exchange: string;
  readonly banned_until: Date | null;
  readonly ban_reason: string | null;
  readonly banned_hosts: Readonly<
    Record<string, { readonly until: number; readonly reason: string }>
  >;
}

interface ExchangeRow extends BanRow {
  readonly breaker: ExchangeState["breaker"];
  readonly last_error: string | null;
  readonly last_error_at: Date | null;
}

interface EgressRow extends BanRow {
  readonly egress: string;
  readonly in_use: boolean;
  readonly denied_host: string | null;
  readonly denied_why: string | null;
  readonly denied_since: Date | null;
  readonly denied_until: Date | null;
}
