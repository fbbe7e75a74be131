/** Texts that are small on the wire when they are packed, and large in memory when they are read. @module */

export const HOSTILE_TEXTS: Readonly<Record<string, (bytes: number) => string>> = {
  "brackets that never end": (bytes) => repeated("[", bytes),
  "lists in lists": (bytes) => repeated("[", bytes / 2) + repeated("]", bytes / 2),
  "objects in objects": (bytes) => repeated('{"a":', bytes / 2),
  "small numbers": (bytes) => list("0", bytes),
  "empty lists": (bytes) => list("[]", bytes),
  "empty objects": (bytes) => list("{}", bytes),
  "short texts": (bytes) => list('"ab"', bytes),
  "one long text": (bytes) => `["${repeated("x", bytes)}"]`,
  "one long text of another script": (bytes) => `["${repeated("币", bytes / 3)}"]`,
  "one long text of escapes": (bytes) => `["${repeated("\\u0000", bytes)}"]`,
  "one long number": (bytes) => `[${repeated("9", bytes)}]`,
  "one long name": (bytes) => `{"${repeated("x", bytes)}":1}`,
  "long numbers": (bytes) => list("9".repeat(60_000), bytes),
  "many names": () => `{${manyNames(1_200_000)}"z":0}`,
  "rows of wrong shape": (bytes) => list('[1,"2"]', bytes),
  "rows of objects": (bytes) => list('{"t":1,"o":2,"h":3,"l":4,"c":5}', bytes),
  "rows of candles without a time": (bytes) => list('["x","1","1","1","1","1"]', bytes),
  "no JSON": (bytes) => repeated("not JSON ", bytes),
  "a page": (bytes) => `<html>${repeated("<p>busy</p>", bytes)}</html>`,
  "an object that calls itself a list": () => '{"length":4000000000}',
  "a list of lists of lists": () => list(`[${"[],".repeat(130)}0]`, 7_900 * 400),
  "a list of lists of objects": () => list(`[${'{"a":{}},'.repeat(50)}0]`, 7_900 * 450),
  "a list of lists of texts": () => `[${manyTexts(7_900, 190)}0]`,
  "a list of lists of texts of two scripts": () => `["币",${manyTexts(7_900, 190)}0]`,
  "markets without names": () => `{"symbols":${list("{}", 7_900 * 3)}}`,
  "markets with names": () => `{"symbols":[${manyMarkets(7_900)}]}`,
  "rows of odd values": (bytes) =>
    list('[1717241400000,"x",{"a":1},[1],null,true]', Math.min(bytes, 5 * 1024 * 1024)),
  "white space": (bytes) => `[${repeated(" ", bytes)}]`,
  "one name again and again": (bytes) => `{${repeated('"k":1,', bytes)}"z":1}`,
  "rows like candles": (bytes) => list('[1700000000000,"1","2","0.5","1","3"]', bytes),
};

function repeated(text: string, bytes: number): string {
  return text.repeat(Math.ceil(bytes / text.length));
}

function list(entry: string, bytes: number): string {
  return `[${repeated(`${entry},`, bytes)}0]`;
}

function manyNames(count: number): string {
  let names = "";
  for (let at = 0; at < count; at++) names += `"name${at}":{},`;
  return names;
}

function manyTexts(lists: number, count: number): string {
  let texts = "";
  for (let at = 0; at < lists; at++) {
    texts += `[${Array.from({ length: count }, (_, n) => `"text${at * count + n}"`).join(",")}],`;
  }
  return texts;
}

function manyMarkets(count: number): string {
  return Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      ...{ symbol: `COIN${at}USDT`, status: "TRADING", baseAsset: `COIN${at}`, quoteAsset: "USDT" },
      filters: [{ filterType: "PRICE_FILTER", minPrice: "0.01", tickSize: "0.01" }],
      permissionSets: [["SPOT", `GROUP_${at}`]],
    })).join(",");
}
