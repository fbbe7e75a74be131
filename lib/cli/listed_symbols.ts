/** Asks an exchange whether it lists symbols, before they are written into the settings. @module */
import type { Config } from "../config/config.ts";
import { egressOf, sourceAddress } from "../config/egress_setting.ts";
import { archivedTimeframes, settingsOf } from "../config/exchange_settings.ts";
import { concerns } from "../daemon/egress_bans.ts";
import type { Ground } from "../daemon/open_archive.ts";
import type { HostBan } from "../exchange/bans.ts";
import { type ExchangeClient, openExchange } from "../exchange/client.ts";
import { nearSymbols } from "../exchange/near_symbols.ts";
import { isSymbol } from "../market/symbol.ts";
import { withDeadline } from "../policy/deadline.ts";
import type { Status } from "../serve/status.ts";
import { holdsDatabase } from "../store/connection/data_dir.ts";
import { readEgressStates } from "../store/exchange_state.ts";
import { askDaemon } from "./control.ts";
import { withArchive } from "./with_archive.ts";

interface AskedSymbols {
  readonly exchange: string;
  readonly symbols: readonly string[];
  /** The settings as they will be. */
  readonly config: Config;
  readonly signal: AbortSignal;
}

/**
 * What the exchange does not have of symbols and of its timeframes, one sentence each with the nearest names.
 *
 * @throws Error when the exchange cannot be asked: it does not answer, or has banned us, or whether it has is not known.
 */
export async function readLacking(
  ground: Ground,
  { exchange, symbols, config, signal }: AskedSymbols,
): Promise<readonly string[]> {
  const client = await openExchange(exchange, {
    clock: ground.clock,
    config: config.exchangeOptions[exchange],
    proxyUrl: config.exchangeProxyUrl,
    sourceAddress: sourceAddress(config, exchange),
    symbols,
  });
  const timeframes = archivedTimeframes(settingsOf(config, exchange))
    .filter((text) => !client.timeframes.includes(text));
  const lacking = timeframes.map((text) =>
    `${exchange} has no timeframe ${text}. It has ${client.timeframes.join(" ")}`
  );
  for (const ban of await readBans(ground, exchange)) client.restoreBan(ban);
  const listed = await loadSymbols(ground, client, signal);
  for (const symbol of symbols) {
    if (listed.includes(symbol)) continue;
    const similar = nearSymbols(symbol, listed);
    const hint = similar.length === 0 ? "" : `. The nearest: ${similar.join(", ")}`;
    lacking.push(`${exchange} does not list ${symbol}${hint}`);
  }
  return lacking;
}

async function loadSymbols(
  { clock, config }: Ground,
  client: ExchangeClient,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const list = await client.loadMarkets({
    signal,
    each: (_kind, load) =>
      withDeadline(config.fetchTimeoutMs, async (signal) => {
        await client.turn("live", { signal });
        return await load(signal);
      }, { clock, signal, name: `asking ${client.id}` }),
  });
  return [...list.keys()].filter(isSymbol);
}

/** The bans of an exchange that the archive knows of. */
async function readBans(ground: Ground, exchange: string): Promise<readonly HostBan[]> {
  const { databaseUrl, dataDir } = ground.config;
  if (databaseUrl === undefined && !await holdsDatabase(dataDir)) return [];
  return await withArchive(ground, {
    here: async (database) => {
      const own = egressOf(ground.config, exchange);
      const states = await readEgressStates(database, exchange);
      return states.filter((state) => concerns(state, own)).flatMap(({ bans }) => bans);
    },
    daemon: async () => {
      const { exchanges } = await askDaemon(dataDir, "/status") as Status;
      const until = exchanges.find((state) => state.exchange === exchange)?.bannedUntil;
      if (until === undefined || until === null) return [];
      return [{ host: undefined, untilMs: Date.parse(until), reason: "banned before" }];
    },
  });
}
