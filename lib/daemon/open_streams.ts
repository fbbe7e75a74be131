/** Opens the streams of exchanges as the settings in force have them. @module */
import type { Archive } from "../archive/archive.ts";
import { unstreamedWhy } from "../config/exchange_settings.ts";
import { openStreams } from "../exchange/stream.ts";
import {
  streamAbility,
  type StreamedExchange,
  streamedExchange,
} from "../exchange/stream_address.ts";
import type { StreamSource } from "../live/stream_source.ts";

/** The streams of an archive, which may get other settings. */
export function streamSource(archive: Archive): StreamSource {
  const exchangeOf = (id: string): StreamedExchange => streamedExchange(id, archive.config);
  return {
    isWanted: (id) => unstreamedWhy(archive.config, id) === undefined,
    lackOf: (id) => {
      const ability = streamAbility(exchangeOf(id));
      return ability.canStream ? undefined : ability.why;
    },
    open: (id, onEvent) => {
      const { clock, random } = archive;
      return openStreams({ exchange: exchangeOf(id), clock, random, onEvent });
    },
  };
}
