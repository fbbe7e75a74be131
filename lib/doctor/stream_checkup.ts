/** Opens an exchange's stream as the daemon does, subscribes one series, and tells what came, and what to do if nothing did. @module */
import type { Archive } from "../archive/archive.ts";
import { type Markets, streamedSeries, withMarkets } from "../archive/markets_in_force.ts";
import { hasProxy } from "../config/exchange_options.ts";
import { settingsOf, unstreamedWhy } from "../config/exchange_settings.ts";
import { openStreams } from "../exchange/stream.ts";
import { streamAbility, streamedExchange } from "../exchange/stream_address.ts";
import type { StreamEvent, WishedSeries } from "../exchange/stream_event.ts";
import { DeadlineError, withDeadline } from "../policy/deadline.ts";
import { type Check, foreignCertificateFix, withFix } from "./check.ts";

/** A handshake has ten seconds, an answer to a subscription fifteen; both together take one or two. */
const STREAM_MS_MAX = 20_000;

interface ExamineStreamOptions {
  readonly markets: Markets;
  readonly signal: AbortSignal | undefined;
}

/** No check where the settings want no stream. */
export async function examineStream(
  archive: Archive,
  id: string,
  { markets, signal }: ExamineStreamOptions,
): Promise<readonly Check[]> {
  const { config } = archive;
  if (unstreamedWhy(config, id) !== undefined) return [];
  const ability = streamAbility(streamedExchange(id, config));
  if (!ability.canStream) return [byPolls(ability.why)];
  const wished = withMarkets(streamedSeries(markets, settingsOf(config, id)), markets);
  const found = await openOne(archive, id, { wished, signal });
  if (found === undefined) return [];
  const { series, event, messages } = found;
  if (series === undefined) return [byPolls("none of its series can be streamed")];
  const { host } = ability;
  const name = `${series.symbol} ${series.timeframe}`;
  const broken = (what: string, fix: string): readonly Check[] => [
    { check: "stream", ok: false, message: withFix(`candles come by polls alone: ${what}`, fix) },
  ];
  const without = `set live: off for ${id} in titan10.yaml, or leave it out of LIVE`;
  switch (event?.kind) {
    case "subscribed":
    case "candle":
      return [{ check: "stream", ok: true, message: `${host} streams ${name}` }];
    case "refused":
      return broken(`${host} refuses ${name}: ${event.why}`, `If this lasts, ${without}`);
    case "ended": {
      const way = hasProxy(config.exchangeOptions[id] ?? {})
        ? `Have the proxy in EXCHANGE_${id.toUpperCase()} let WebSockets to ${host} pass`
        : `Let WebSockets to ${host} pass the firewall, set httpsProxy in EXCHANGE_${id.toUpperCase()}`;
      return broken(
        `the connection to ${host} has ended (${event.reason}: ${event.why})`,
        foreignCertificateFix(event.why) ?? `${way}, or ${without}`,
      );
    }
    case undefined: {
      const what = `nothing of ${name} came from ${host} within ${STREAM_MS_MAX / 1_000} s`;
      // Some exchanges answer no subscription, and a market may be quiet.
      return messages > 0
        ? [{ check: "stream", ok: true, isHint: true, message: `${what}, but other messages did` }]
        : broken(what, `If this lasts, ${without}`);
    }
  }
}

interface Found {
  /** The series that was subscribed; undefined when none can be streamed. */
  readonly series: WishedSeries | undefined;
  /** What came of it first; undefined when nothing did in time. */
  readonly event: StreamEvent | undefined;
  readonly messages: number;
}

/** Subscribes the first series that can be streamed. Undefined when the signal was aborted meanwhile. */
async function openOne(
  { config, clock, random }: Archive,
  id: string,
  { wished, signal }: {
    readonly wished: readonly WishedSeries[];
    readonly signal: AbortSignal | undefined;
  },
): Promise<Found | undefined> {
  const first = Promise.withResolvers<StreamEvent>();
  let isAsked = false;
  const streams = openStreams({
    ...{ exchange: streamedExchange(id, config), clock, random },
    // Before a series is found, each event tells of one that cannot be streamed.
    onEvent: (event) => isAsked ? first.resolve(event) : undefined,
  });
  try {
    const series = wished.find((one) => {
      streams.subscribe([one]);
      return streams.counts().connections > 0;
    });
    isAsked = true;
    const event = series === undefined ? undefined : await withDeadline(
      STREAM_MS_MAX,
      () => first.promise,
      { clock, signal, name: "the checkup of a stream" },
    ).catch((error: unknown) => {
      if (error instanceof DeadlineError) return undefined;
      throw error;
    });
    return { series, event, messages: streams.counts().messages };
  } catch (error) {
    if (signal?.aborted) return undefined;
    throw error;
  } finally {
    await streams.close();
  }
}

function byPolls(why: string): Check {
  return { check: "stream", ok: true, message: `candles come by polls alone: ${why}` };
}
