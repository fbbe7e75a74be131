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

/** Stores a ban. A shorter ban does not replace a longer one. */
export async function writeBan(
  database: Database,
  exchange: string,
  { host, untilMs, reason: text }: StoredBan,
): Promise<void> {
  await database.run(`keep the ban of ${exchange}`, async (sql) => {
    const reason = storableText(text, TEXT_CHARACTERS_MAX);
    const name = host === undefined ? null : storableText(host, TEXT_CHARACTERS_MAX);
    await sql`
      insert into exchanges as known (exchange, banned_until, ban_reason, banned_hosts, last_error, last_error_at)
      select ${exchange}, to_timestamp(${untilMs}::float8 / 1000.0), ${reason},
             case when ${name}::text is null then '{}'
                  else jsonb_build_object(${name}::text,
                    jsonb_build_object('until', ${untilMs}::float8, 'reason', ${reason}::text)) end,
             ${reason}, now()
      on conflict (exchange) do update
      set banned_until = greatest(known.banned_until, excluded.banned_until),
          banned_hosts = known.banned_hosts || case
            when (known.banned_hosts -> ${name}::text ->> 'until')::float8 > ${untilMs}::float8 then '{}'
            else excluded.banned_hosts end,
          ban_reason = excluded.ban_reason, last_error = excluded.last_error,
          last_error_at = excluded.last_error_at`;
  });
}

/** Stores the breaker's state. */
export async function writeBreaker(
  database: Database,
  exchange: string,
  breaker: ExchangeState["breaker"],
): Promise<void> {
  await database.run(`keep the breaker of ${exchange}`, async (sql) => {
    await sql`
      insert into exchanges (exchange, breaker) values (${exchange}, ${breaker})
      on conflict (exchange) do update set breaker = excluded.breaker`;
  });
}

/** Stores the last error of an exchange, for people to read. */
export async function writeExchangeError(
  database: Database,
  exchange: string,
  message: string,
): Promise<void> {
  await database.run(`keep the last error of ${exchange}`, async (sql) => {
    await sql`
      insert into exchanges (exchange, last_error, last_error_at)
      values (${exchange}, ${storableText(message, TEXT_CHARACTERS_MAX)}, now())
      on conflict (exchange) do update
      set last_error = excluded.last_error, last_error_at = excluded.last_error_at`;
  });
}

/** A longer ban than any host's was stored before bans were kept by host. */
function bansOf({ banned_until, ban_reason, banned_hosts }: ExchangeRow): readonly StoredBan[] {
  const bans = Object.entries(banned_hosts)
    .map(([host, { until, reason }]) => ({ host, untilMs: until, reason }));
  const untilMs = epochMs(banned_until);
  // The database's times are not exact to the millisecond.
  if (untilMs === undefined || bans.some((ban) => ban.untilMs >= untilMs - 1)) return bans;
  return [...bans, { host: undefined, untilMs, reason: ban_reason ?? "banned before" }];
}

interface ExchangeRow {
  readonly exchange: string;
  readonly breaker: ExchangeState["breaker"];
  readonly banned_until: Date | null;
  readonly ban_reason: string | null;
  readonly banned_hosts: Readonly<
    Record<string, { readonly until: number; readonly reason: string }>
  >;
  readonly last_error: string | null;
  readonly last_error_at: Date | null;
}
