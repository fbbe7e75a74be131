/** Asks whether the files that an exchange publishes are in reach. @module */
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import { settingsOf } from "../config/exchange_settings.ts";
import { errorText } from "../text/redact.ts";
import { type Check, withFix } from "./check.ts";

/** No check where none of the archived series have files, or the settings want none. */
export async function examineFiles(
  { config }: Archive,
  { client }: ArchivedExchange,
  { markets: { list, series }, signal }: {
    readonly markets: Markets;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly Check[]> {
  if (settingsOf(config, client.id).history === "off") return [];
  let host: string | undefined;
  for (const one of series) {
    const facts = { marketId: list.get(one.symbol)?.id, host: await client.hostOf(one, list) };
    host = client.files.of(one, facts)?.host;
    if (host !== undefined) break;
  }
  if (host === undefined) return [];
  const check = "history";
  try {
    await client.files.probe({ timeoutMs: config.fetchTimeoutMs, signal });
    return [{ check, ok: true, message: `whole months come from the files of ${host}` }];
  } catch (error) {
    signal?.throwIfAborted();
    const wrong =
      `the files of ${host} are out of reach, so all history is asked of the API, which is slower: ` +
      errorText(error);
    const fix = `Let HTTPS to ${host} pass, or set HISTORY=off`;
    // The API gives the same candles.
    return [{ check, ok: true, isHint: true, message: withFix(wrong, fix) }];
  }
}
