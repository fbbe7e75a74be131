/** Lets the jobs and streams of a daemon follow what it holds of an archive that several nodes share. @module */
import type { Archive } from "../archive/archive.ts";
import type { FreshSeries } from "../archive/fresh_series.ts";
import { endWithLeases } from "../archive/lease_work.ts";
import type { ArchiveSchedule } from "./jobs.ts";

interface Followers {
  readonly jobs: ArchiveSchedule;
  readonly streams: Pick<FreshSeries, "follow">;
}

/**
 * What is gained is polled at once, from where the ledger ends, and then its history is fetched. What is lost is ended. Returns
 * what ends that.
 */
export function followShares(archive: Archive, { jobs, streams }: Followers): () => Promise<void> {
  const ended = endWithLeases(archive);
  // Each exchange is told of by itself, and one poll asks all of them: more would count as polls that come too soon.
  let isPollDue = false;
  const pollSoon = (): void => {
    if (isPollDue) return;
    isPollDue = true;
    queueMicrotask(() => {
      isPollDue = false;
      jobs.schedule.runNow("poll");
    });
  };
  const followed = archive.leases.onChange(({ exchange: id, gained }) => {
    const exchange = archive.exchanges.find((one) => one.id === id);
    if (exchange === undefined) return;
    streams.follow();
    const { markets, share } = exchange;
    const isFirst = markets.value === undefined;
    // While they are loaded for the first time, all that waits for them sees what was gained.
    if (!share.mayAsk || (isFirst ? markets.isLoading : gained.length === 0)) return;
    if (isFirst) jobs.startBackfill(id);
    else jobs.startBackfillAfterPoll(id);
    // The poll that loads them polls what was gained.
    if (!markets.isLoading) pollSoon();
  });
  return () => {
    ended();
    followed();
    return Promise.resolve();
  };
}
