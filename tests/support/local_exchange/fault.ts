/** Faults on request, as data: which answers go wrong, how, and how often. @module */
import type { Window } from "../../../lib/market/window.ts";
import type { Ask } from "./dialect.ts";
import { isFundingFault, RevisionMemory, type RowFault } from "./row_fault.ts";

/** One thing that goes wrong, where, and how often. */
export interface FaultRule {
  /** Which requests it strikes; all, if absent. */
  readonly when?: FaultWhen | undefined;
  /** How many more times it strikes. Unbounded if absent. */
  readonly times?: number | undefined;
  /** Whether it strikes a request that it could strike. @default always */
  readonly chance?: (() => boolean) | undefined;
  readonly fault: Fault;
}

/** Every given condition must hold. */
interface FaultWhen {
  /** The endpoint as the dialect calls it: `klines`, `exchangeInfo`, `linear/klines`. */
  readonly path?: string | undefined;
  /** The target's host: `fapi.binance.com`. */
  readonly host?: string | undefined;
  /** The same question in every dialect. */
  readonly about?: Ask["about"] | undefined;
  /** CCXT id of the dialect, for a server that speaks several. */
  readonly exchange?: string | undefined;
  /** Symbol of the series; only asks for candles and funding rates have one. */
  readonly symbol?: string | undefined;
  /** As CCXT spells it; only asks for candles have one. */
  readonly timeframe?: string | undefined;
  /** Strikes when the asked window reaches beyond this moment… */
  readonly sinceMs?: number | undefined;
  /** …and begins before this one. */
  readonly untilMs?: number | undefined;
  /** Whether the request came through the proxy prefix. */
  readonly proxied?: boolean | undefined;
  /** The address that the request came from, `127.0.0.2`. */
  readonly visitor?: string | undefined;
}

export type Fault = LatencyFault | AnswerFault | RowFault;

/** The answer comes, but later. */
interface LatencyFault {
  readonly kind: "latency";
  readonly ms: number;
}

/** Faults that take the place of the whole answer. */
export type AnswerFault =
  | {
    readonly kind: "status";
    readonly status: number;
    /** Sets the `Retry-After` header and the end of a ban. */
    readonly retryAfterSeconds?: number | undefined;
    /** @default what the dialect says with this status */
    readonly body?: string | undefined;
  }
  | {
    /** Silence until the client goes away or the server closes. */
    readonly kind: "hang";
    /** Whether status and headers still come: a client's timeout may end with them. @default false */
    readonly afterHeaders?: boolean | undefined;
  }
  /** The connection is torn down in the middle of the body. */
  | { readonly kind: "reset" }
  /** Status 200, but the JSON ends in the middle. */
  | { readonly kind: "truncated" }
  /** Status 200 with a maintenance page. */
  | { readonly kind: "html" }
  /** Status 200 with nothing. */
  | { readonly kind: "empty_body" };

/** A rule at work. */
interface FaultHandle {
  /** How often it has struck. */
  readonly struck: number;
  remove(): void;
}

/** What the rules say about one request. */
export interface Strike {
  readonly latencyMs: number;
  readonly answer: AnswerFault | undefined;
  /** In the order in which the rules were added. */
  readonly rows: readonly StruckRows[];
}

interface StruckRows {
  readonly fault: RowFault;
  /** The rule's own window, for faults that concern single candles of it. */
  readonly window: Window;
  readonly memory: RevisionMemory;
}

/** What a rule's conditions are held against. */
interface FaultSubject {
  readonly exchange: string;
  readonly ask: Ask;
  /** The asked window, for candles and funding rates. */
  readonly window: Window | undefined;
  readonly proxied: boolean;
  readonly host: string;
  readonly visitor: string;
}

/** A forgotten rule is cheap, a leak of them is not: more than this is a mistake in a test. */
const RULES_MAX = 10_000;

/** The rules in force, in the order in which they were added. */
export class Faults {
  #rules: Rule[] = [];

  /**
   * Puts a rule in force.
   *
   * @throws RangeError when there are too many rules.
   */
  add(rule: FaultRule): FaultHandle {
    if (this.#rules.length >= RULES_MAX) {
      throw new RangeError(`Cannot add a fault: ${RULES_MAX} rules are in force already`);
    }
    const entry = { ...rule, struck: 0, memory: new RevisionMemory() };
    this.#rules.push(entry);
    return {
      get struck() {
        return entry.struck;
      },
      remove: () => {
        this.#rules = this.#rules.filter((other) => other !== entry);
      },
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /**
   * Counts and returns what strikes this request: every latency, every row fault, and the first fault that
   * replaces the answer. A later one of that sort waits for the next request.
   */
  strike(subject: FaultSubject): Strike {
    let latencyMs = 0;
    let answer: AnswerFault | undefined;
    const rows: StruckRows[] = [];
    for (const rule of this.#rules) {
      if (!applies(rule, subject) || rule.chance?.() === false) continue;
      if (isRowFault(rule.fault)) {
        if (!canSpoil(rule.fault, subject.ask)) continue;
        rows.push({ fault: rule.fault, window: ruleWindow(rule), memory: rule.memory });
      } else if (rule.fault.kind === "latency") {
        latencyMs += rule.fault.ms;
      } else if (answer === undefined) {
        answer = rule.fault;
      } else {
        continue;
      }
      rule.struck += 1;
    }
    return { latencyMs, answer, rows };
  }
}

interface Rule extends FaultRule {
  struck: number;
  readonly memory: RevisionMemory;
}

function applies({ when = {}, times = Infinity, struck }: Rule, subject: FaultSubject): boolean {
  if (struck >= times) return false;
  const { ask, window } = subject;
  if (when.path !== undefined && when.path !== ask.endpoint) return false;
  if (when.about !== undefined && when.about !== ask.about) return false;
  if (when.exchange !== undefined && when.exchange !== subject.exchange) return false;
  if (when.host !== undefined && when.host !== subject.host) return false;
  if (when.visitor !== undefined && when.visitor !== subject.visitor) return false;
  if (when.proxied !== undefined && when.proxied !== subject.proxied) return false;
  const isAboutRows = when.symbol !== undefined || when.timeframe !== undefined ||
    when.sinceMs !== undefined || when.untilMs !== undefined;
  if (!isAboutRows) return true;
  if ((ask.about !== "candles" && ask.about !== "funding") || window === undefined) return false;
  if (when.symbol !== undefined && when.symbol !== ask.symbol.symbol) return false;
  const timeframe = ask.about === "candles" ? ask.timeframe.text : undefined;
  if (when.timeframe !== undefined && when.timeframe !== timeframe) return false;
  const { sinceMs, untilMs } = ruleWindow({ when });
  return window.sinceMs < untilMs && sinceMs < window.untilMs;
}

/** Whether the ask's rows can go wrong in this way. Funding rates have no open, no volume and no half-formed row. */
function canSpoil({ kind }: RowFault, { about }: Ask): boolean {
  return about === "candles" || (about === "funding" && isFundingFault(kind));
}

function ruleWindow({ when }: Pick<FaultRule, "when">): Window {
  return { sinceMs: when?.sinceMs ?? -Infinity, untilMs: when?.untilMs ?? Infinity };
}

function isRowFault(fault: Fault): fault is RowFault {
  switch (fault.kind) {
    case "latency":
    case "status":
    case "hang":
    case "reset":
    case "truncated":
    case "html":
    case "empty_body":
      return false;
    default:
      return true;
  }
}
