/** Which funding rates of an exchange the settings want, and which of these are owed. @module */
import { settingsOf } from "../config/exchange_settings.ts";
import { reachStartMs } from "../config/reach.ts";
import type { Archive } from "../archive/archive.ts";
import type { ArchivedExchange } from "../archive/archived_exchange.ts";
import type { AskedRange } from "../archive/desire.ts";
import type { Markets } from "../archive/markets_in_force.ts";
import type { Coverage } from "../market/coverage.ts";
import { FUNDING_INTERVAL_MS, FUNDING_SETTLE_MS, perpetualOf } from "../market/funding_rate.ts";
import { kindOf } from "../market/symbol.ts";
import {
  type FundingCheckpoint,
  type FundingDesire,
  type OwedFunding,
  readFundingCheckpoints,
  readOwedFunding,
} from "../store/funding_ledger.ts";
import { perpetualName } from "../store/funding_rates.ts";

/** The perpetuals of an exchange whose rates are kept. */
export function fundedSymbols(
  { config }: Pick<Archive, "config">,
  { id, client: { fundingKinds } }: ArchivedExchange,
  { series, list }: Pick<Markets, "series" | "list">,
): readonly string[] {
  if (settingsOf(config, id).funding === "off") return [];
  const symbols = new Set(series.flatMap(({ symbol }) => perpetualOf(symbol) ?? []));
  return [...symbols].filter((symbol) => fundingKinds.includes(kindOf(symbol)) && list.has(symbol));
}

/** The rates that are wanted: as far back as the longest reach of `BACKFILL`, or in the range that is asked for. */
export function fundingDesires(
  archive: Pick<Archive, "config" | "clock">,
  exchange: ArchivedExchange,
  markets: Pick<Markets, "series" | "list">,
  asked: AskedRange = {},
): readonly FundingDesire[] {
  const nowMs = archive.clock.now();
  const endMs = nowMs - FUNDING_SETTLE_MS;
  const untilMs = Math.min(asked.untilMs ?? endMs, endMs);
  const { backfill } = settingsOf(archive.config, exchange.id);
  const reachMs = backfill.reduce(
    (least, { reach }) => Math.min(least, reachStartMs(reach, nowMs)),
    endMs,
  );
  const sinceMs = Math.min(asked.sinceMs ?? reachMs, untilMs);
  return fundedSymbols(archive, exchange, markets).map((symbol) => ({
    exchange: exchange.id,
    symbol,
    window: { sinceMs, untilMs },
  }));
}

/** A perpetual of which rates are owed. */
export interface OwingPerpetual extends OwedFunding {
  /** The distance between its rates, as far as is known. Milliseconds. */
  readonly intervalMs: number;
  /** Where the wanted time ends: a rate that is due after that is not owed yet. Milliseconds. */
  readonly untilMs: number;
}

/** What is owed of the rates that are wanted, without the time since the newest rate in which no other was due. */
export async function readOwingPerpetuals(
  archive: Pick<Archive, "database">,
  desires: readonly FundingDesire[],
): Promise<readonly OwingPerpetual[]> {
  if (desires.length === 0) return [];
  const ledger = new Map(
    (await readFundingCheckpoints(archive.database)).map((row) => [perpetualName(row), row]),
  );
  const ends = new Map(desires.map((desire) => [perpetualName(desire), desire.window.untilMs]));
  return (await readOwedFunding(archive.database, desires)).flatMap((one) => {
    const known = ledger.get(perpetualName(one));
    const intervalMs = known?.intervalMs ?? FUNDING_INTERVAL_MS;
    const untilMs = ends.get(perpetualName(one)) ?? Infinity;
    const owed = withoutUndue(one.owed, { intervalMs, untilMs, known });
    return owed.length === 0 ? [] : [{ ...one, owed, intervalMs, untilMs }];
  });
}

/** Leaves out what is owed at the end of the wanted time, where it is too short for a rate. */
export function withoutUndue(
  owed: Coverage,
  { intervalMs, untilMs, known }: {
    readonly intervalMs: number;
    readonly untilMs: number;
    /** What was known before. @default something */
    readonly known?: Pick<FundingCheckpoint, "covered"> | undefined;
  },
): Coverage {
  const last = owed.at(-1);
  if (last === undefined || last.untilMs < untilMs || known?.covered.length === 0) return owed;
  return last.untilMs - last.sinceMs < intervalMs ? owed.slice(0, -1) : owed;
}
