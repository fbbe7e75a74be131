/** The streams of many local exchanges, as settings of the program: of all that have a voice in the tests. @module */
import type { Clock } from "../../lib/clock.ts";
import { type CandleStream, hasVoice, startCandleStream } from "./candle_stream.ts";
import type { ManyExchanges } from "./many_exchanges.ts";
import { startSwallowingProxy, type SwallowingProxy } from "./swallowing_proxy.ts";

/** The stream of one exchange, which can fail. */
interface FailingStream {
  readonly exchange: string;
  readonly stream: CandleStream;
  /** What stands before it. */
  readonly proxy: SwallowingProxy;
}

export interface ManyStreams {
  readonly streams: readonly FailingStream[];
  /** Those of the exchanges, with the addresses of the streams in them. */
  readonly settings: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export function startManyStreams(
  { exchanges, settings }: ManyExchanges,
  options: { readonly clock: Clock; readonly latencyMs?: number | undefined },
): ManyStreams {
  const streams: FailingStream[] = [];
  const added: Record<string, string> = { ...settings };
  for (const { dialect, local } of exchanges) {
    if (!hasVoice(dialect)) continue;
    const { exchange } = dialect;
    const stream = startCandleStream({ dialect, local, ...options });
    const proxy = startSwallowingProxy(stream.url);
    streams.push({ exchange, stream, proxy });
    const name = `EXCHANGE_${exchange.toUpperCase()}`;
    const urls = { ws: proxy.url };
    added[name] = JSON.stringify({ ...JSON.parse(settings[name] ?? "{}"), urls });
  }
  return {
    streams,
    settings: added,
    close: async () => {
      await Promise.all(streams.map(async ({ stream, proxy }) => {
        await proxy.close();
        await stream.close();
      }));
    },
  };
}
