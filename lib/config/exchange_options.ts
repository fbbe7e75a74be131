/** The options of `EXCHANGE_<ID>`: those that have an effect, and the messages for all others. @module */
import { z } from "zod";
import { nearest } from "../text/nearest.ts";
import { didYouMean, jsonObject, type Setting } from "./setting.ts";

/** The proxy options of CCXT. An exchange can have at most one. */
export const PROXY_OPTIONS = [
  "httpProxy",
  "httpsProxy",
  "socksProxy",
  "proxyUrl",
  // Spellings of CCXT for Python and of older CCXT versions.
  "http_proxy",
  "https_proxy",
  "socks_proxy",
  "proxy_url",
  "proxy",
] as const;

interface Kind {
  readonly allowed: string;
  readonly isAllowed: (value: unknown) => boolean;
}

const TEXT: Kind = { allowed: "a text in quotes", isAllowed: isText };
const FLAG: Kind = { allowed: "true or false", isAllowed: (value) => typeof value === "boolean" };
const OBJECT: Kind = { allowed: "an object", isAllowed: (value) => isObject(value) };
const HEADERS: Kind = {
  allowed: "an object of texts",
  isAllowed: (value) => isObject(value) && Object.values(value).every(isText),
};
const RATE_LIMIT: Kind = {
  allowed: "milliseconds between two requests, more than 0",
  isAllowed: (value) => typeof value === "number" && value > 0,
};
const HTTP_URL = urlOf(["http", "https"]);
const SOCKS_URL = urlOf(["socks5", "socks5h"]);

/** The options that have an effect. CCXT itself accepts any option and ignores unknown ones without an error. */
const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries({
  apiKey: TEXT,
  secret: TEXT,
  password: TEXT,
  uid: TEXT,
  login: TEXT,
  accountId: TEXT,
  twofa: TEXT,
  privateKey: TEXT,
  walletAddress: TEXT,
  token: TEXT,
  ...Object.fromEntries(
    PROXY_OPTIONS.map((name) => [name, name.startsWith("socks") ? SOCKS_URL : HTTP_URL]),
  ),
  headers: HEADERS,
  userAgent: TEXT,
  user_agent: TEXT,
  hostname: TEXT,
  rateLimit: RATE_LIMIT,
  sandbox: FLAG,
  testnet: FLAG,
  options: OBJECT,
  urls: OBJECT,
  timeframes: OBJECT,
  has: OBJECT,
  features: OBJECT,
  // Accepted only with the value that is used anyway.
  enableRateLimit: {
    allowed: "true: titan10 always keeps to the exchange's rate limit",
    isAllowed: (value) => value === true,
  },
  verbose: {
    allowed: "false: it would print requests with their keys; use LOG_LEVEL=debug",
    isAllowed: (value) => value === false,
  },
}));

/** CCXT options that have no effect here, and what to use instead. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["timeout", "FETCH_TIMEOUT instead"],
  ["wsProxy", "httpsProxy in its place: streams go through it, too"],
  ["wssProxy", "httpsProxy in its place: streams go through it, too"],
  ["wsSocksProxy", "socksProxy in its place: streams go through it, too"],
]);

/** Reads an `EXCHANGE_<ID>`. Error messages name its options but show no values. */
export function exchangeOptions(): Setting<Readonly<Record<string, unknown>>> {
  return jsonObject().superRefine((options, context) => {
    for (const message of faultsOf(options)) context.addIssue({ code: "custom", message });
  });
}

/** Adds the common proxy to an exchange's options, unless they have their own proxy. CCXT accepts only one. */
export function withProxy(
  options: Readonly<Record<string, unknown>> = {},
  proxyUrl: string | undefined,
): Readonly<Record<string, unknown>> {
  return proxyUrl === undefined || hasProxy(options) ? options : { ...options, proxyUrl };
}

/** Whether the options of an exchange set a proxy. */
export function hasProxy(options: Readonly<Record<string, unknown>>): boolean {
  return PROXY_OPTIONS.some((name) => options[name] !== undefined);
}

function faultsOf(options: Readonly<Record<string, unknown>>): readonly string[] {
  const faults: string[] = [];
  let isListed = false;
  for (const [name, value] of Object.entries(options)) {
    const kind = KINDS.get(name);
    const elsewhere = ELSEWHERE.get(name);
    if (kind !== undefined) {
      if (!kind.isAllowed(value)) faults.push(`"${name}" to be ${kind.allowed}`);
    } else if (elsewhere !== undefined) {
      faults.push(elsewhere);
    } else if (!isListed) {
      // Do not repeat an unknown name: it may be an API key in the wrong place.
      const similar = nearest(name, [...KINDS.keys()]);
      isListed = similar.length === 0;
      faults.push(
        isListed
          ? `no options but ${[...KINDS.keys()].join(" ")}`
          : `only options that are known${didYouMean(similar)}`,
      );
    }
  }
  const proxies = PROXY_OPTIONS.filter((name) => Object.hasOwn(options, name));
  if (proxies.length > 1) faults.push(`one proxy at most, not ${proxies.join(" and ")}`);
  return faults;
}

function urlOf(schemes: readonly string[]): Kind {
  return {
    allowed: `a URL beginning ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`,
    isAllowed: (value) => {
      if (!isText(value) || !URL.canParse(value)) return false;
      const { protocol, hostname } = new URL(value);
      return hostname !== "" && schemes.some((scheme) => protocol === `${scheme}:`);
    },
  };
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).safeParse(value).success;
}
