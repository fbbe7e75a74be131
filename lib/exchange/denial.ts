/** Recognizes answers that refuse this address or its country, and holds further requests back. @module */
import type { Clock } from "../clock.ts";
import { printable } from "../text/printable.ts";
import { redact } from "../text/redact.ts";
import { FetchError } from "./fetch_error.ts";
import { firstTexts, pageTexts } from "./page_text.ts";

/** What is known of an answer that may be a refusal. */
interface SuspectAnswer {
  readonly status: number | undefined;
  /** The parsed body; undefined when it was not JSON. */
  readonly json?: unknown;
  /** The body that was not JSON, or its beginning. */
  readonly text?: string | undefined;
}

/** Longest quotation of an answer. */
const QUOTE_CHARACTERS_MAX = 200;

/** "Service unavailable from a restricted location", "not available in your country". */
const PLACE =
  /\b(?:countr(?:y|ies)|regions?|locations?|jurisdictions?|territor(?:y|ies)|sanction)/i;

const REFUSED =
  /blocked|access denied|denied access|permission to access|not (?:allowed|permitted|authori[sz]ed)|prohibited|restricted|request (?:was )?rejected|could not be satisfied|request unsuccessful|unable to access|banned|\berror(?: code)?:? 1(?:00[5-9]|01[0-2]|020|106)\b/i;

const TOO_FAST = /too many|rate.?limit|frequen|slow down|too fast|\berror(?: code)?:? 1015\b/i;

/** Pages that wait for a browser to prove itself: Cloudflare, Imperva, DDoS-Guard. */
const CHALLENGE =
  /<title>\s*(?:just a moment|attention required!|ddos-guard)|_cf_chl_opt|_Incapsula_Resource|verif\w+ (?:that )?you are (?:a )?human|checking your browser before/i;

/** What a refusal of one symbol talks about: other symbols are not refused. */
const ONE_SYMBOL =
  /symbol|token|pair|asset|coin\b|currency|market|instrument|feature|function|product/i;

/** Sentences that Cloudflare's bare `error code: 1020` stands for. */
const CLOUDFLARE_CODES: Readonly<Record<string, string>> = {
  "1005": "the network of this address is banned",
  "1006": "this address is banned",
  "1007": "this address is banned",
  "1008": "this address is banned",
  "1009": "the country of this address is banned",
  "1010": "this program's signature is banned",
  "1012": "access is denied",
  "1020": "access is denied",
  "1106": "this address is banned",
};

/**
 * The sentence in which an answer says why it refuses this address, without HTML, at most 200 characters; undefined when
 * the answer does not refuse it. A refusal is
 *
 * - any answer with status 451, "unavailable for legal reasons" (RFC 7725);
 * - a 403 whose page or text gives a reason (CloudFront, Cloudflare, Akamai, Imperva). A bare 403 is how firewalls answer
 *   those who ask too fast (Binance), and so is a page that says it;
 * - a challenge for browsers, with any status;
 * - an error that says that the service itself is not available in this country.
 */
export function denialOf({ status, json, text }: SuspectAnswer): string | undefined {
  const sentences = json === undefined ? pageTexts(text ?? "") : firstTexts(json);
  const sentence = whyOf(sentences);
  if (status === 451) return quoted(sentence ?? sentences[0] ?? "unavailable for legal reasons");
  if (json !== undefined) {
    const isAboutAll = sentence !== undefined && PLACE.test(sentence) &&
      !ONE_SYMBOL.test(sentence) && !TOO_FAST.test(sentence) &&
      (status === 403 || ALL_REFUSED.test(sentence));
    return isAboutAll ? quoted(sentence) : undefined;
  }
  if (CHALLENGE.test(text ?? "")) {
    return quoted(sentence ?? sentences[0] ?? "a challenge for browsers");
  }
  if (status !== 403 || sentence === undefined || sentences.some((one) => TOO_FAST.test(one))) {
    return undefined;
  }
  return quoted(sentence);
}

const ALL_REFUSED =
  /(?:services?|access|platform|website|ip(?: address)?)\b.{0,80}(?:restricted|(?:un|not )available|not (?:supported|allowed|permitted)|blocked|prohibited|denied)/i;

/** The sentence that names a place, else one that refuses. */
function whyOf(sentences: readonly string[]): string | undefined {
  return sentences.find((one) => PLACE.test(one) && !/^location:/i.test(one)) ??
    sentences.find((one) => REFUSED.test(one));
}

function quoted(sentence: string): string {
  const code = /^error code:? (\d{4})$/i.exec(sentence)?.[1];
  const meaning = code === undefined ? undefined : CLOUDFLARE_CODES[code];
  // Redacted before it is cut: half of a secret might remain at the cut.
  const text = redact(printable(meaning === undefined ? sentence : `${sentence} (${meaning})`));
  return text.length <= QUOTE_CHARACTERS_MAX ? text : `${text.slice(0, QUOTE_CHARACTERS_MAX - 1)}…`;
}

/** A refusal may be a single server's mistake; two answers in a row prove it. */
const PROOFS = 2;

/** How long nothing is asked of a host that refuses us. Doubles with each further refusal. */
const HELD_MS = 60_000;
const HELD_MS_MAX = 60 * 60_000;

/** A host that answered this recently refuses something else than our address. */
const ANSWERED_MS = 60_000;

/** What is known of one host. */
interface HostDenial {
  inARow: number;
  holds: number;
  heldUntilMs: number;
  sinceMs: number | undefined;
  answeredMs: number;
  why: string;
}

/** So long after a start it may not be known yet whether a denial from before still holds. */
const UNKNOWN_MS = 10 * 60_000;

/** Series that are refused are asked for again within an hour. A host that is due for longer is not asked any more. */
const LAPSED_MS = 2 * 60 * 60_000;

/** A proved denial. */
interface Denial {
  readonly sinceMs: number;
  /** In the words of the host. */
  readonly why: string;
  /** Whether candles are refused. If not, they come from another host. */
  readonly isOfCandles: boolean;
}

/** A refusal that is proved, of one host. */
export interface HostRefusal {
  readonly host: string;
  /** In the words of the host. */
  readonly why: string;
  readonly sinceMs: number;
  /** When it is not known any more whether it still holds. Milliseconds. */
  readonly untilMs: number;
}

/** Who is told of refusals. */
export interface DenialNews {
  /** Called when a refusal is proved, and each time that it is proved again. */
  readonly onDenial?: ((refusal: HostRefusal) => void) | undefined;
  /** Called when a host that refused us answers. */
  readonly onDenialEnd?: ((host: string) => void) | undefined;
}

/** The refusals of one exchange, by host: its spot market may answer while its futures refuse us. */
export class Denials {
  readonly #clock: Clock;
  readonly #news: DenialNews;
  readonly #hosts = new Map<string, HostDenial>();
  readonly #startMs: number;
  readonly #candleHosts = new Set<string>();

  constructor(clock: Clock, news: DenialNews = {}) {
    this.#clock = clock;
    this.#news = news;
    this.#startMs = clock.now();
  }

  /** The denial of a host; `unknown` when candles were neither given nor refused since the start; else undefined. */
  get state(): Denial | "unknown" | undefined {
    const nowMs = this.#clock.now();
    for (const [host, { sinceMs, why }] of this.#hosts) {
      if (sinceMs === undefined || !this.isDenied(host)) continue;
      const isOfCandles = this.#candleHosts.size === 0 || this.#candleHosts.has(host);
      return { sinceMs, why, isOfCandles };
    }
    const isNew = this.#candleHosts.size === 0 && nowMs - this.#startMs < UNKNOWN_MS;
    return isNew ? "unknown" : undefined;
  }

  /** A host refused us before a restart. It is asked at once all the same: the restart may be what was needed. */
  restore({ host, why, sinceMs }: HostRefusal): void {
    if (!this.#hosts.has(host)) {
      this.#hosts.set(host, { ...newHost(), inARow: PROOFS - 1, sinceMs, why });
    }
  }

  /** Notes which host gives candles. */
  candlesFrom(host: string): void {
    this.#candleHosts.add(host);
  }

  /** Whether it is proved that a host refuses us. */
  isDenied(host: string): boolean {
    const known = this.#hosts.get(host);
    return known?.sinceMs !== undefined && this.#clock.now() < known.heldUntilMs + LAPSED_MS;
  }

  /** @throws FetchError `denied` while a host that refuses us is not to be asked. */
  assertOpen(host: string): void {
    const known = this.#hosts.get(host);
    if (known === undefined || this.#clock.now() >= known.heldUntilMs) return;
    const until = new Date(known.heldUntilMs).toISOString();
    throw new FetchError(
      "denied",
      `Cannot send requests to ${host} before ${until}: ${known.why}`,
      {
        untilMs: known.heldUntilMs,
      },
    );
  }

  /** Notes an answer that refuses us, and gives its error with the time when to ask again, once that is proved. */
  proved(error: FetchError, host: string | undefined): FetchError {
    // Nothing was sent: the host is known to refuse us.
    if (error.untilMs !== undefined || host === undefined) return error;
    const untilMs = this.#note(host, error.message);
    return new FetchError("denied", error.message, { cause: error.cause, untilMs });
  }

  /** When to ask again, once it is proved. Milliseconds. */
  #note(host: string, why: string): number | undefined {
    const nowMs = this.#clock.now();
    const known = this.#hosts.get(host) ?? newHost();
    this.#hosts.set(host, known);
    known.inARow++;
    known.why = why;
    if (known.inARow < PROOFS) return undefined;
    // Requests that were already on their way answer alike: they count once.
    if (nowMs < known.heldUntilMs) return known.heldUntilMs;
    if (nowMs - known.answeredMs < ANSWERED_MS) return nowMs + HELD_MS;
    known.sinceMs ??= nowMs;
    known.heldUntilMs = nowMs + Math.min(HELD_MS * 2 ** known.holds, HELD_MS_MAX);
    known.holds++;
    const { sinceMs, heldUntilMs } = known;
    this.#news.onDenial?.({ host, why, sinceMs, untilMs: heldUntilMs + LAPSED_MS });
    return heldUntilMs;
  }

  /** Notes that a host has answered. */
  answered(host: string): void {
    const known = this.#hosts.get(host) ?? newHost();
    const isEnd = known.sinceMs !== undefined;
    this.#hosts.set(host, Object.assign(known, { ...newHost(), answeredMs: this.#clock.now() }));
    if (isEnd) this.#news.onDenialEnd?.(host);
  }
}

function newHost(): HostDenial {
  return {
    inARow: 0,
    holds: 0,
    heldUntilMs: -Infinity,
    sinceMs: undefined,
    answeredMs: -Infinity,
    why: "",
  };
}
