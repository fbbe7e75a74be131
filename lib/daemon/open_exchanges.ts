/** Opens exchanges with their stored bans and learned limits, and refuses what they do not have. @module */
import { type Config, ConfigError, type ConfigProblem } from "../config/config.ts";
import { addressOf, egressOf, sourceAddress } from "../config/egress_setting.ts";
import { allTimeframes, archivedTimeframes, settingsOf } from "../config/exchange_settings.ts";
import { symbolsOfKinds } from "../config/symbols.ts";
import type { HostBan } from "../exchange/bans.ts";
import { openExchange } from "../exchange/client.ts";
import type { DenialNews, HostRefusal } from "../exchange/denial.ts";
import { lackOfAddress } from "../exchange/source_address.ts";
import type { Archive } from "../archive/archive.ts";
import { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { BreakerChange } from "../archive/breakers.ts";
import { utcText } from "../market/event.ts";
import { planRollups } from "../market/rollup.ts";
import { nominalMs, parseTimeframe } from "../market/timeframe.ts";
import { errorText } from "../text/redact.ts";
import type { BreakerState } from "../policy/breaker.ts";
import { NewestWrite } from "../policy/newest_write.ts";
import { readCapabilities, writeCapability } from "../store/capabilities.ts";
import { isStandby } from "../store/connection/database.ts";
import { isServerAway } from "../store/connection/store_error.ts";
import {
  clearDenial,
  closeBreaker,
  type EgressPlace,
  readEgressStates,
  readOpenBreakers,
  writeBan,
  writeBreaker,
  writeDenial,
} from "../store/exchange_state.ts";
import { restoreEgress } from "./egress_bans.ts";

/**
 * Returns the exchanges of a configuration, in its order. Those of the archive that `keeps` names are taken from it, the
 * others are opened. Changes nothing of the archive, and sends no request.
 *
 * @throws ConfigError when an exchange cannot be opened, or lacks a timeframe, or a rollup cannot be built.
 */
export async function openExchanges(
  archive: Archive,
  config: Config,
  keeps: (exchange: ArchivedExchange) => boolean = () => false,
): Promise<readonly ArchivedExchange[]> {
  const kept = new Map(archive.exchanges.filter(keeps).map((one) => [one.id, one]));
  const opened = await Promise.all(
    config.exchanges.map((id) => kept.get(id) ?? openOne({ archive, config }, id)),
  );
  const exchanges = opened.filter((one) => one instanceof ArchivedExchange);
  const problems = [
    ...lackingAddress(config),
    ...opened.flatMap((result) => result instanceof ArchivedExchange ? [] : [result]),
    ...exchanges.flatMap((exchange) => lackingTimeframes(exchange, config)),
    ...refusedRollups(config),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return exchanges;
}

/** Restores stored bans and learned limits, and begins the metrics of these exchanges. @throws StoreError */
export async function restoreExchanges(
  archive: Pick<Archive, "database" | "metrics" | "clock">,
  exchanges: readonly ArchivedExchange[],
): Promise<void> {
  const { database, metrics } = archive;
  const states = await readEgressStates(database);
  for (const exchange of exchanges) restoreEgress(archive, exchange, states);
  const capabilities = Map.groupBy(await readCapabilities(database), ({ exchange }) => exchange);
  for (const exchange of exchanges) {
    exchange.capabilities.restore(capabilities.get(exchange.id) ?? []);
    metrics.setBreakerState(exchange.id, "closed");
    metrics.settleSeconds.set({ exchange: exchange.id }, exchange.settleMs / 1000);
  }
}

/** Stores that the breakers of these exchanges are closed. @default all of them @throws StoreError */
export async function closeBreakers(
  { database, config }: Pick<Archive, "database" | "config">,
  isMeant: (exchange: string) => boolean = () => true,
): Promise<void> {
  for (const exchange of await readOpenBreakers(database)) {
    if (!isMeant(exchange) || await isStandby(database)) continue;
    await closeBreaker(database, { exchange, egress: egressOf(config, exchange) });
  }
}

async function openOne(
  { archive, config }: { readonly archive: Archive; readonly config: Config },
  id: string,
): Promise<ArchivedExchange | ConfigProblem> {
  const { clock, random, metrics, log, database, events } = archive;
  const { symbols, pageLimit } = settingsOf(config, id);
  const place = { exchange: id, egress: egressOf(config, id) };
  const keep = (what: string, write: Promise<void>): Promise<void> =>
    write.catch((error) => tellUnstored(archive, id, { what, error }));
  const breaker = new NewestWrite<BreakerState["kind"]>((kind) =>
    keep("a breaker's state", writeBreaker(database, place, kind))
  );
  try {
    const client = await openExchange(id, {
      clock,
      config: config.exchangeOptions[id],
      proxyUrl: config.exchangeProxyUrl,
      sourceAddress: sourceAddress(config, id),
      pageRowsMax: pageLimit,
      symbols: symbolsOfKinds(symbols),
      onBan: async (ban) => {
        noteBanned(archive, place, ban);
        await keep("a ban", writeBan(database, place, ban));
      },
      onBanEnd: () => noteBan(events, id),
      ...keptDenials({
        write: (refusal) => keep("a refusal", writeDenial(database, place, refusal)),
        clear: (host) => keep("the end of a refusal", clearDenial(database, { ...place, host })),
      }),
    });
    return new ArchivedExchange({
      client,
      config,
      clock,
      random,
      metrics,
      log,
      leases: () => archive.leases,
      onBreaker: ({ kind, state, worst }) => {
        metrics.setBreakerState(id, worst);
        log.warn("breaker changed", {
          exchange: id,
          state,
          ...(kind === undefined ? {} : { kind }),
        });
        noteBreaker(events, id, { state, kind });
        void breaker.set(worst);
      },
      keepCapability: async (row) => {
        await writeCapability(database, row).catch((error) => {
          tellUnstored(archive, id, { what: "a learned limit", error, timeframe: row.timeframe });
          throw error;
        });
      },
    });
  } catch (error) {
    return {
      variable: "EXCHANGES",
      value: id,
      allowed: `an exchange that can be opened (${errorText(error)})`,
    };
  }
}

/** Stores refusals and their ends one after the other: the last one counts. */
function keptDenials({ write, clear }: {
  readonly write: (refusal: HostRefusal) => Promise<void>;
  readonly clear: (host: string) => Promise<void>;
}): Required<DenialNews> {
  let newest = Promise.resolve();
  return {
    onDenial: (refusal) => void (newest = newest.then(() => write(refusal))),
    onDenialEnd: (host) => void (newest = newest.then(() => clear(host))),
  };
}

/** That something is not kept of an exchange: it goes on without. */
function tellUnstored(
  { log }: Archive,
  exchange: string,
  { what, error, timeframe }: {
    readonly what: string;
    readonly error: unknown;
    readonly timeframe?: string;
  },
): void {
  log[isServerAway(error) ? "debug" : "warn"](`${what} was not stored`, {
    exchange,
    ...(timeframe === undefined ? {} : { timeframe }),
    error,
  });
}

/** Puts a ban in force, and tells it. */
function noteBanned(
  { exchanges, metrics, log, events }: Archive,
  { exchange: id, egress }: EgressPlace,
  ban: HostBan,
): void {
  const { host, untilMs, reason } = ban;
  // Another client may have taken this one's place meanwhile: the exchange means both, if it sees one address.
  const client = exchanges.find((one) => one.id === id && one.egress === egress)?.client;
  client?.restoreBan(ban);
  const latestMs = Math.max(untilMs, client?.bannedUntilMs ?? 0);
  metrics.exchangeBannedUntilSeconds.set({ exchange: id }, latestMs / 1000);
  const until = new Date(untilMs).toISOString();
  log.warn("banned", { exchange: id, egress, host, until, reason });
  noteBan(events, id, { untilMs, reason });
}

/** Its beginning, or its end. */
function noteBan(
  events: Archive["events"],
  exchange: string,
  ban?: { readonly untilMs: number; readonly reason: string },
): void {
  if (ban === undefined) {
    const text = `${exchange}: it answers again after its ban`;
    return events.note({ kind: "ban_ended", exchange, text });
  }
  const text = `${exchange}: banned until ${utcText(ban.untilMs)}. ${ban.reason}`;
  events.note({ kind: "banned", exchange, text });
}

/** A trial in between is no news. */
function noteBreaker(
  events: Archive["events"],
  exchange: string,
  { state, kind }: Pick<BreakerChange, "state" | "kind">,
): void {
  const of = kind === undefined ? exchange : `${exchange} ${kind} markets`;
  if (state === "open") {
    const text = `${of}: too many requests failed, so the breaker is open and only trials are sent`;
    events.note({ kind: "breaker_opened", exchange, text });
  }
  if (state === "closed") {
    const text = `${of}: a trial was answered, so the breaker is closed and all is asked for again`;
    events.note({ kind: "breaker_closed", exchange, text });
  }
}

function lackingAddress({ egress = "" }: Config): readonly ConfigProblem[] {
  const why = addressOf(egress) === undefined ? undefined : lackOfAddress(egress);
  if (why === undefined) return [];
  const allowed = `an address of this machine (${why}; ip -brief address lists those it has)`;
  return [{ variable: "EGRESS", value: egress, allowed }];
}

function lackingTimeframes(
  { id, client }: ArchivedExchange,
  config: Config,
): readonly ConfigProblem[] {
  const settings = settingsOf(config, id);
  return archivedTimeframes(settings).filter((text) => !client.timeframes.includes(text)).map((
    text,
  ) => ({
    variable: (config.own.has(id) ? `${id} ` : "") +
      (settings.timeframes.includes(text) ? "TIMEFRAMES" : "BACKFILL"),
    value: text,
    allowed: `a timeframe of ${id}: ${client.timeframes.join(" ")}; nearest: ${
      nearestTimeframes(text, client.timeframes).join(", ")
    }`,
  }));
}

function refusedRollups(config: Config): readonly ConfigProblem[] {
  const archived = allTimeframes(config).map(parseTimeframe);
  return planRollups(config.rollups.map(parseTimeframe), archived).refused.map(({ text }) => ({
    variable: "ROLLUPS",
    value: text,
    allowed: "timeframes that divide a day, each a multiple of one in TIMEFRAMES or BACKFILL",
  }));
}

/** The two offered timeframes whose lengths are closest to the wanted one, by ratio. */
function nearestTimeframes(wanted: string, offered: readonly string[]): readonly string[] {
  const length = (text: string): number => Math.log(nominalMs(parseTimeframe(text)));
  const distance = (text: string): number => Math.abs(length(text) - length(wanted));
  return [...offered].sort((a, b) => distance(a) - distance(b)).slice(0, 2);
}
