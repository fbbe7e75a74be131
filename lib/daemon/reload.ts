/** Reads the settings again while the daemon runs, and puts them into force whole, or not at all. @module */
import { type Config, ConfigError } from "../config/config.ts";
import {
  allTimeframes,
  archivedTimeframes,
  type ExchangeSettings,
  settingsOf,
} from "../config/exchange_settings.ts";
import { symbolsOfKinds } from "../config/symbols.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import { isConfigured } from "../archive/desire.ts";
import { explainBounds, forgetUnconfigured } from "../gap/account.ts";
import type { NewEvent } from "../archive/event_log.ts";
import type { FreshSeries } from "../archive/fresh_series.ts";
import { someNames } from "../market/event.ts";
import { marketSymbol } from "../market/price.ts";
import { type Series, seriesName } from "../market/series.ts";
import { withDeadline } from "../policy/deadline.ts";
import type { ReloadAnswer } from "../serve/reload_answer.ts";
import type { LastReload } from "../serve/status.ts";
import { readTimescale } from "../store/connection/timescale.ts";
import { type Checkpoint, readCheckpoints } from "../store/ledger.ts";
import { errorText } from "../text/redact.ts";
import { changesOf, isDifferent, withOpened } from "./config_change.ts";
import type { ArchiveSchedule } from "./jobs.ts";
import { type Ground, type OpenArchive, prepareTables } from "./open_archive.ts";
import { closeBreakers, openExchanges, restoreExchanges } from "./open_exchanges.ts";

/** What a reload changes. */
interface Reloaded {
  readonly archive: OpenArchive;
  readonly schedule: Pick<ArchiveSchedule, "schedule" | "startBackfill">;
  /** @default nothing is streamed */
  readonly streams?: Pick<FreshSeries, "follow"> | undefined;
}

/** How long the answer waits for aborted work to end. A write that hangs must not keep it for ever. */
const END_MS_MAX = 30_000;

/** The reloads of one daemon. Never more than one at a time, and one that waits. */
export class Reloads {
  readonly #ground: Ground;
  #reloaded: Reloaded | undefined;
  #newest: Promise<unknown> = Promise.resolve();
  #waiting: Promise<ReloadAnswer> | undefined;
  #isDue = false;
  #last: LastReload | undefined;

  constructor(ground: Ground) {
    const { metrics, clock } = ground;
    this.#ground = ground;
    metrics.setConfigReloaded(true);
    metrics.configReloadedSeconds.set({}, clock.now() / 1000);
  }

  /** The newest one; undefined before the first. */
  get last(): LastReload | undefined {
    return this.#last;
  }

  /** Call when the archive is open and its jobs run. */
  start(reloaded: Reloaded): void {
    this.#reloaded = reloaded;
    if (this.#isDue) void this.ask();
  }

  /** Reloads after the reload that is under way, or when the daemon has started, which is not waited for. Never throws. */
  ask(): Promise<ReloadAnswer> {
    // Not counted as failed: nothing is wrong with the settings.
    const why = this.#unable;
    if (why !== undefined) {
      this.#isDue = true;
      return Promise.resolve({ ok: false, problems: [why] });
    }
    // One that waits has read nothing yet, so it is as good as another one behind it.
    this.#waiting ??= this.#newest.then(() => {
      this.#waiting = undefined;
      return this.#reload();
    });
    this.#newest = this.#waiting;
    return this.#waiting;
  }

  /** Why nothing can be reloaded; undefined when it can. */
  get #unable(): string | undefined {
    if (this.#ground.reread === undefined) return "these settings cannot be read again";
    return this.#reloaded === undefined
      ? "the daemon is starting: it reads them again when it has started"
      : undefined;
  }

  async #reload(): Promise<ReloadAnswer> {
    const { clock, log, metrics } = this.#ground;
    const at = new Date(clock.now()).toISOString();
    try {
      const answer = await this.#use();
      const { ok, ...changes } = answer;
      metrics.setConfigReloaded(ok);
      metrics.configReloadedSeconds.set({}, clock.now() / 1000);
      log.info("settings reloaded", changes);
      if (answer.needsRestart.length > 0) {
        log.warn("settings that take effect only after a restart", {
          settings: answer.needsRestart,
        });
      }
      this.#note({ kind: "settings_reloaded", text: reloadText(answer) });
      this.#last = { at, ok, error: null };
      return answer;
    } catch (error) {
      const problems = problemsOf(error);
      metrics.setConfigReloaded(false);
      log.error("settings not reloaded: the old ones stay in force", { problems });
      const what = someNames(problems);
      this.#note({
        kind: "settings_refused",
        text:
          `The settings were changed and cannot be used, so those before stay in force: ${what}`,
      });
      this.#last = { at, ok: false, error: problems.join("\n") };
      return { ok: false, problems };
    }
  }

  #note(event: NewEvent): void {
    this.#reloaded?.archive.events.note(event);
  }

  /** @throws ConfigError, StoreError, Error; nothing has changed then. */
  async #use(): Promise<Extract<ReloadAnswer, { readonly ok: true }>> {
    const { reread } = this.#ground;
    if (reread === undefined || this.#reloaded === undefined) throw new Error(this.#unable);
    const { archive, schedule: { schedule, startBackfill }, streams } = this.#reloaded;
    const { database, config: before, exchanges: all } = archive;
    const { config: wanted, fileHints, useLog } = await reread();
    const config = withOpened(wanted, before);
    const isSameClient = ({ id }: ArchivedExchange): boolean =>
      !isDifferent(clientSettings(before, id), clientSettings(config, id));
    const exchanges = await openExchanges(archive, config, isSameClient);
    if (isDifferent(tableSettings(before), tableSettings(config))) {
      const compresses = (await readTimescale(database))?.isLicensed === true;
      await prepareTables(database, config, { compresses, isLed: !archive.leases.isLeader });
    }
    const checkpoints = await readCheckpoints(database);
    await restoreExchanges(archive, exchanges.filter((one) => !all.includes(one)));
    // Before anything of another range comes: since when a series is followed is read off its coverage.
    await explainBounds({ ...archive, config });
    // From here on nothing fails, and nothing else runs before all of it is in force.
    Object.assign(archive, { config, exchanges, fileHints });
    useLog();
    const change = changeExchanges(archive, { before, all, checkpoints });
    streams?.follow();
    schedule.retime();
    await archive.leases.follow?.();
    // The poll registers what is new.
    schedule.runNow("poll");
    for (const id of change.wanting) startBackfill(id);
    if (isDifferent(before.rollups, config.rollups)) schedule.wake("upkeep");
    if (isDifferent(before.datasetUrl, config.datasetUrl)) schedule.wake("dataset");
    await settle(archive, change);
    // The alerts end what they say of series that are gone.
    for (const job of ["gap_alerts", "alerts"] as const) schedule.wake(job);
    return { ok: true, ...changesOf(before, wanted) };
  }
}

/** What is done for exchanges and series that are not wanted any more, or in another way. */
interface ExchangesChange {
  /** Settles when the work for what is not wanted any more has ended. */
  readonly ended: Promise<unknown>;
  /** Exchanges that are not archived any more. */
  readonly gone: readonly string[];
  /** Series that are not archived any more, of exchanges that are. */
  readonly withdrawn: readonly Series[];
  /** Exchanges of which something else is wanted than before. */
  readonly wanting: readonly string[];
}

/** Ends what is not wanted any more, and lets what is wanted in another way begin anew. Does not wait. */
function changeExchanges(
  { config, exchanges }: OpenArchive,
  { before, all, checkpoints }: {
    readonly before: Config;
    readonly all: readonly ArchivedExchange[];
    readonly checkpoints: readonly Checkpoint[];
  },
): ExchangesChange {
  const ended: Promise<void>[] = [];
  const gone: string[] = [];
  const withdrawn: Series[] = [];
  const wanting = new Set(exchanges.filter((one) => !all.includes(one)).map(({ id }) => id));
  const known = new Map(checkpoints.map((one) => [seriesName(one.series), one]));
  const isWanted = (series: Series): boolean =>
    isConfigured(known.get(seriesName(series)) ?? { series, chosen: "list" }, config);
  for (const exchange of all) {
    const { id, work, markets } = exchange;
    if (!config.exchanges.includes(id)) {
      ended.push(work.end());
      gone.push(id);
      continue;
    }
    exchange.configure(config);
    const [one, other] = [settingsOf(before, id), settingsOf(config, id)];
    const hasOtherSeries = isDifferent(seriesSettings(one), seriesSettings(other));
    if (hasOtherSeries || isDifferent(one.backfill, other.backfill)) {
      const archived = checkpoints.map(({ series }) => series).filter(({ exchange }) =>
        exchange === id
      );
      const unwanted = [...archived, ...markets.series].filter((series) => !isWanted(series));
      for (const series of unwanted) withdrawn.push(series);
      ended.push(work.withdraw(unwanted.map(seriesName)));
      wanting.add(id);
    }
    if (hasOtherSeries) markets.renew(isWanted);
    if (!exchanges.includes(exchange)) {
      work.retire();
      // Bans are meant for the address that the exchange sees.
      const successor = exchanges.find((one) => one.id === id && one.egress === exchange.egress);
      // Some may not be stored: the database was away, or they came just now.
      for (const ban of exchange.client.bans) successor?.client.restoreBan(ban);
    }
  }
  return { ended: Promise.all(ended), gone, withdrawn, wanting: [...wanting] };
}

/** Waits for the end of what is not wanted any more, and lets ledger and metrics forget what was wanted of it. */
async function settle(
  archive: OpenArchive,
  { ended, gone, withdrawn }: ExchangesChange,
): Promise<void> {
  const { clock, log, metrics } = archive;
  try {
    await withDeadline(END_MS_MAX, () => ended, { clock, name: "the work for what is gone" });
    await forgetUnconfigured(archive);
    // Of exchanges that are gone, and of those with a new client, which begins closed.
    const troubled = archive.exchanges.filter(({ breakers }) => breakers.worst !== "closed");
    await closeBreakers(archive, (id) => troubled.every((one) => one.id !== id));
  } catch (error) {
    // It is all in force. The next run of the job `gaps` makes the ledger follow.
    log.warn("the ledger does not follow the settings yet", { error });
  }
  for (const { exchange, symbol, timeframe: { text: timeframe } } of withdrawn) {
    metrics.forgetSeries({ exchange, symbol, timeframe });
  }
  for (const id of gone) await metrics.forgetExchange(id);
}

/** What tables depend on. */
function tableSettings(config: Config): unknown {
  return [allTimeframes(config), config.compressAfterMs];
}

/** What the series of an exchange depend on. */
function seriesSettings(settings: ExchangeSettings): unknown {
  return [settings.symbols, archivedTimeframes(settings), settings.timeframes];
}

/** What is used only while an exchange is opened: another client takes its place when that is different. */
function clientSettings(config: Config, id: string): unknown {
  const { symbols, pageLimit } = settingsOf(config, id);
  const { exchangeOptions, exchangeProxyUrl, breaker } = config;
  const shapes = [...new Set(symbolsOfKinds(symbols).map(shapeOf))].sort();
  return [exchangeOptions[id], exchangeProxyUrl, breaker, pageLimit, shapes];
}

/** A symbol without its names: what kinds of markets are loaded depends on that. */
function shapeOf(symbol: string): string {
  const [, base, quote, settle, rest = ""] =
    /^([^/]*)\/([^:]*):?([^-]*)(.*)$/.exec(marketSymbol(symbol)) ?? [];
  if (settle === "") return "spot";
  return `${settle === base} ${settle === quote} ${rest.replace(/[^-]+/g, "…")}`;
}

function reloadText({ added, removed, changed, needsRestart }: ReloadChange): string {
  const changes = [
    ...added.map((id) => `${id} added`),
    ...removed.map((id) => `${id} removed`),
    ...changed,
    ...needsRestart.map((name) => `${name} only after a restart`),
  ];
  const what = changes.length === 0 ? "nothing has changed" : changes.join("; ");
  return `The settings were read again: ${what}`;
}

type ReloadChange = Extract<ReloadAnswer, { readonly ok: true }>;

function problemsOf(error: unknown): readonly string[] {
  return error instanceof ConfigError
    ? error.message.split("\n").slice(1).map((line) => line.trim())
    : [errorText(error)];
}
