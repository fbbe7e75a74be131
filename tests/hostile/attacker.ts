/**
 * Who attacks, as a process of its own, so that what it costs is not taken from the one that judges: hostile exchanges that
 * the daemon asks, and visitors of the daemon's HTTP. Reads one line of JSON per round from standard input, and writes
 * one per answer to standard output.
 * @module
 */
import { TextLineStream } from "./lines.ts";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { Random } from "../faults/random.ts";
import { upbit } from "../support/dialects/upbit.ts";
import { binance } from "../support/local_exchange/binance.ts";
import type { Dialect } from "../support/local_exchange/dialect.ts";
import { manyMarkets } from "../support/many_exchanges.ts";
import { ANSWER_ATTACKS, type AnswerAttack } from "./answer_attacks.ts";
import { VISITOR_ATTACKS } from "./visitor_attacks.ts";

/** One round, as the judge asks for it. */
export interface Round {
  readonly seed: number;
  /** How long it may last. Milliseconds. */
  readonly ms: number;
  /** Names of {@linkcode ANSWER_ATTACKS}, of which each request is given one; none for true answers. */
  readonly answers: readonly string[];
  /** Names of {@linkcode VISITOR_ATTACKS}, all at once. */
  readonly visitors: readonly string[];
  /** Where the daemon listens, `http://127.0.0.1:9464`. */
  readonly url: string;
}

/** What is written when it listens. */
export interface Ready {
  /** Settings of the program by which it asks the hostile exchanges. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What is written when a round is over. */
export interface RoundEnd {
  readonly seed: number;
  /** Requests that were answered by an attack, by its name. */
  readonly struck: Readonly<Record<string, number>>;
  /** What the visitors were answered: how often by status, or by the error. */
  readonly answered: Readonly<Record<string, number>>;
}

/** By the id of the class that asks: those of CCXT that have candles of a second, as the good exchange's are. */
const HOSTILE: Readonly<Record<string, Dialect>> = { binanceus: binance, upbit };

if (import.meta.main) await main();

async function main(): Promise<void> {
  let attack: { readonly random: Random; readonly attacks: readonly AnswerAttack[] } | undefined;
  let struck: Record<string, number> = {};
  const settings: Record<string, string> = {};
  const symbols = manyMarkets(2);
  for (const [id, dialect] of Object.entries(HOSTILE)) {
    const exchange = await startLocalExchange({ clock: systemClock, dialect, symbols });
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (asked) => {
        const { pathname, search } = new URL(asked.url);
        const truth = await fetch(exchange.url + pathname + search);
        if (attack === undefined || attack.attacks.length === 0) return truth;
        const { random, attacks } = attack;
        const chosen = random.pick(attacks);
        const answer = await chosen.answer(truth, random);
        struck[chosen.name] = (struck[chosen.name] ?? 0) + 1;
        return answer;
      },
    );
    const proxyUrl = `http://127.0.0.1:${server.addr.port}/proxy/`;
    settings[`EXCHANGE_${id.toUpperCase()}`] = JSON.stringify({
      proxyUrl,
      rateLimit: 20,
    });
  }
  tell({ settings } satisfies Ready);
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream());
  for await (const line of lines) {
    const round: Round = JSON.parse(line);
    const random = new Random(round.seed);
    struck = {};
    attack = {
      random,
      attacks: ANSWER_ATTACKS.filter(({ name }) => round.answers.includes(name)),
    };
    const answered: Record<string, number> = {};
    const ending = AbortSignal.timeout(round.ms);
    const count = (what: string | number): void => {
      answered[what] = (answered[what] ?? 0) + 1;
    };
    const visits = VISITOR_ATTACKS.filter(({ name }) => round.visitors.includes(name));
    await Promise.all([
      systemClock.sleep(round.ms),
      ...visits.map(({ visit }) => visit({ url: new URL(round.url), random, ending, count })),
    ]);
    attack = undefined;
    tell({ seed: round.seed, struck, answered } satisfies RoundEnd);
  }
  // The judge has closed the pipe; what is still open is nobody's any more.
  Deno.exit(0);
}

function tell(document: unknown): void {
  console.log(JSON.stringify(document));
}
