/** How Binance words refusals of malformed requests, on spot and on futures, and how it reads numbers. @module */
import { type DialectRequest, type PlainAsk, refused } from "./dialect.ts";

/** Codes and messages as in Binance's documentation (error codes). */
interface Refusal {
  readonly code: number;
  readonly msg: string;
}

export const UNKNOWN_SYMBOL: Refusal = { code: -1121, msg: "Invalid symbol." };
export const UNKNOWN_INTERVAL: Refusal = { code: -1120, msg: "Invalid interval." };

/** The refusal of a request without one of its mandatory parameters. */
export function missing(
  endpoint: string,
  { query }: Pick<DialectRequest, "query">,
  names: readonly string[],
): PlainAsk | undefined {
  const name = names.find((name) => (query.get(name) ?? "") === "");
  if (name === undefined) return undefined;
  const msg = `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`;
  return refused(endpoint, 400, { code: -1102, msg });
}

/** The refusal of a request in which one of the parameters is there and is no number. */
export function notNumbers(
  endpoint: string,
  { query }: Pick<DialectRequest, "query">,
  names: readonly string[],
): PlainAsk | undefined {
  const name = names.find((name) => !/^\d{1,20}$/.test(query.get(name) ?? "0"));
  return name === undefined ? undefined : illegal(endpoint, name);
}

export function illegal(endpoint: string, name: string): PlainAsk {
  const msg = `Illegal characters found in parameter '${name}'; legal range is '^[0-9]{1,20}$'.`;
  return refused(endpoint, 400, { code: -1100, msg });
}

/** A number of a query, where it is there. */
export function numberOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  return text === null ? undefined : Number(text);
}
