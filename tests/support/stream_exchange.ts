/** An exchange's stream on loopback, which speaks as a test tells it, and fails as a test tells it. @module */
import type {
  CandleManner,
  StreamVoice,
  VoiceMessage,
  VoiceRow,
  VoiceTopic,
} from "./stream_voice.ts";
import { ALL_STREAM_VOICES } from "./stream_voices.ts";

interface StreamExchangeOptions {
  /** @default binance */
  readonly exchange?: string;
  /** Markets whose subscriptions are refused. @default none */
  readonly refused?: ReadonlySet<string>;
  /** Answers nothing, neither subscriptions nor pings, and stays open. @default false */
  readonly isSilent?: boolean;
}

/** A client that has connected. */
export class StreamClient {
  readonly headers: Headers;
  /** What it has sent. */
  readonly asked: string[] = [];
  readonly subscribed: VoiceTopic[] = [];
  readonly #socket: WebSocket;
  readonly #voice: StreamVoice;
  #waiting: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(
    socket: WebSocket,
    { headers, voice, refused, isSilent }: {
      readonly headers: Headers;
      readonly voice: StreamVoice;
      readonly refused: ReadonlySet<string>;
      readonly isSilent: boolean;
    },
  ) {
    this.headers = headers;
    this.#socket = socket;
    this.#voice = voice;
    socket.onmessage = ({ data }) => {
      this.asked.push(String(data));
      if (!isSilent) {
        const { answers, subscribed } = voice.hear(String(data), refused);
        for (const topic of subscribed) this.subscribed.push(topic);
        for (const answer of answers) socket.send(answer);
      }
      this.#waiting.resolve();
    };
  }

  /** Resolves when it has subscribed so many topics, or sent so many messages. */
  async until(isReached: (client: StreamClient) => boolean): Promise<void> {
    while (!isReached(this)) {
      this.#waiting = Promise.withResolvers();
      await this.#waiting.promise;
    }
  }

  /** Sends a text, or bytes. */
  say(message: VoiceMessage | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(message);
  }

  candle(topic: VoiceTopic, row: VoiceRow, manner: CandleManner): void {
    this.say(this.#voice.candle(topic, row, manner));
  }

  /** Says goodbye, as an exchange that restarts. */
  leave(): void {
    this.#socket.close(1001, "restarting");
  }
}

export interface StreamExchange {
  readonly url: string;
  /** In the order of their connecting. */
  readonly clients: readonly StreamClient[];
  /** The client with this place in the order, as soon as it is there. */
  client(place: number): Promise<StreamClient>;
  /** Ends all connections, and takes no other until it is back. */
  goAway(): void;
  comeBack(): void;
  close(): Promise<void>;
}

export function startStreamExchange(
  { exchange = "binance", refused = new Set(), isSilent = false }: StreamExchangeOptions = {},
): StreamExchange {
  const voice = ALL_STREAM_VOICES[exchange];
  if (voice === undefined) throw new RangeError(`No voice of ${exchange}`);
  const clients: StreamClient[] = [];
  const sockets = new Set<WebSocket>();
  let arrival = Promise.withResolvers<void>();
  let isAway = false;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    if (isAway) return new Response("maintenance", { status: 503 });
    const headers = new Headers(request.headers);
    const { socket, response } = Deno.upgradeWebSocket(request);
    const client = new StreamClient(socket, {
      ...{ headers, voice: voice(), refused, isSilent },
    });
    sockets.add(socket);
    socket.onclose = () => void sockets.delete(socket);
    socket.onopen = () => {
      clients.push(client);
      arrival.resolve();
      arrival = Promise.withResolvers();
    };
    return response;
  });
  return {
    url: `ws://127.0.0.1:${server.addr.port}/ws`,
    clients,
    async client(place): Promise<StreamClient> {
      for (;;) {
        const client = clients[place];
        if (client !== undefined) return client;
        await arrival.promise;
      }
    },
    goAway(): void {
      isAway = true;
      for (const socket of sockets) socket.close();
    },
    comeBack: () => void (isAway = false),
    async close(): Promise<void> {
      for (const socket of sockets) socket.close();
      await server.shutdown();
    },
  };
}
