/** Brings the gaps up to date with the coverage, so that all views of the archive say the same. @module */
import type { Clock } from "../clock.ts";
import type { Database } from "../store/connection/database.ts";
import { readSettling } from "../store/capabilities.ts";
import { scanAllGaps } from "../store/gaps.ts";
import { beginAtRejected } from "../store/rejected_gaps.ts";
import { readCheckpoints } from "../store/ledger.ts";
import type { Archive } from "../archive/archive.ts";
import { isConfigured, wantedOf } from "../archive/desire.ts";
import { noteWanted } from "../store/series_bounds.ts";
import { explainBounds } from "./account.ts";

/** Looks through the archive and notes what its settings want. A command that has fetched candles ends with it. */
export async function bringUpToDate(archive: Archive): Promise<void> {
  await lookThrough(archive);
  await explainBounds(archive);
}

/** Looks through an archive into which a file was imported. Its series keep what a run has wanted of them. */
export async function lookThroughImport(
  { config, database, clock }: Pick<Archive, "config" | "database" | "clock">,
): Promise<void> {
  await lookThrough({ database, clock });
  const strange = (await readCheckpoints(database)).filter((one) =>
    one.wanted === undefined && isConfigured(one, config)
  );
  const wanted = wantedOf(strange.map(({ series }) => series), config, {
    nowMs: clock.now(),
    settling: await readSettling(database, clock.now()),
  });
  await noteWanted(database, wanted);
}

/**
 * Looks for holes in new coverage of every series. Call it at the end of whatever changes the archive.
 *
 * @returns how many gaps were found.
 */
export async function lookThrough(
  { database, clock }: { readonly database: Database; readonly clock: Clock },
): Promise<number> {
  await beginAtRejected(database);
  return await scanAllGaps(database, clock.now());
}
