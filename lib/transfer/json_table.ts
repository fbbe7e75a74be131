/** Turns JSON into lines of CSV: a list of rows, an answer of an exchange with one in it, or one row a line. @module */
import { printable } from "../text/printable.ts";
import { errorText } from "../text/redact.ts";
import { csvField } from "./candle_csv.ts";
import { isJsonRow, type JsonRow, readJsonRow, sameShape } from "./json_row.ts";
import { JsonText } from "./json_text.ts";

/** What else stands in an answer, to say what it is when it holds no rows. */
interface Answer {
  /** Where the rows are. */
  rows: string | undefined;
  /** Lists of plain values. */
  lists: number;
  /** The first of its plain values. */
  readonly plain: (readonly [name: string, value: string])[];
}

const PLAIN_MAX = 40;
const OBJECTS_MAX = 16;

/** Lines that are given together. */
const PAGE_LINES = 1_000;

/**
 * Lines of CSV, in pages, the first of them with the names where rows have names. Numbers keep every digit.
 *
 * @param options.onNames Called when the first line is one of names.
 * @param options.onInstrument Called with the name of the instrument that stands around the rows.
 * @throws Error when it is no JSON, holds no rows, or several lists of them.
 */
export async function* jsonLines(
  pieces: AsyncIterator<string, void>,
  { onNames, onInstrument }: {
    readonly onNames: () => void;
    readonly onInstrument: (name: string) => void;
  },
): AsyncGenerator<readonly string[], void> {
  const toLines = csvLines(onNames);
  let page: string[] = [];
  for await (const rows of jsonRows(new JsonText(pieces), onInstrument)) {
    for (const row of rows) for (const line of toLines(row)) page.push(line);
    if (page.length < PAGE_LINES) continue;
    yield page;
    page = [];
  }
  yield page;
}

/** The rows, as they are written, those together that were read together. */
async function* jsonRows(
  text: JsonText,
  onInstrument: (name: string) => void,
): AsyncGenerator<readonly string[], void> {
  const first = await text.firstLine();
  if (first !== undefined && isJsonRow(first)) {
    const { names = [], values } = readJsonRow(first);
    const error = errorAnswer(names.map((name, at) => [name, values[at]!]));
    if (error !== undefined) throw new Error(error);
    while (await text.peek() !== undefined) {
      yield text.rows(false);
      if (await text.peek() !== undefined) yield [await text.value()];
    }
    return;
  }
  const answer: Answer = { rows: undefined, lists: 0, plain: [] };
  yield* rowsOf(text, answer, []);
  if (await text.peek() !== undefined) {
    throw new Error(
      "more follows after the end of its JSON: leave one list of rows. Where each line is a row, " +
        "none of its values may be a list or an object",
    );
  }
  const named = answer.plain.find(([name, value]) => INSTRUMENT.test(name) && value !== "");
  if (named !== undefined) onInstrument(named[1]);
  if (answer.rows !== undefined) return;
  throw new Error(
    errorAnswer(answer.plain) ??
      (answer.lists > 1
        ? "it is JSON with a list for each column: save it as CSV first"
        : 'it is JSON without a list of rows. Write one, as [[time, open, …], …] or [{"time": …}, …]: ' +
          'pandas does with to_json(orient="records")'),
  );
}

/** Takes one value, and gives the rows in it. */
async function* rowsOf(
  text: JsonText,
  answer: Answer,
  path: readonly string[],
): AsyncGenerator<readonly string[], void> {
  const begin = await text.peek();
  if (begin === "[") {
    await text.take();
    yield* listRows(text, answer, path);
  } else if (begin === "{") {
    if (path.length === OBJECTS_MAX) throw new Error("it is nested too deeply");
    await text.take();
    for await (const name of members(text)) yield* rowsOf(text, answer, [...path, name]);
  } else {
    const value = plainValue(await text.value());
    if (answer.plain.length < PLAIN_MAX) answer.plain.push([path.at(-1) ?? "", value]);
  }
}

/** The names of an object, each before its value is to be taken. */
async function* members(text: JsonText): AsyncGenerator<string, void> {
  for (let isFirst = true;; isFirst = false) {
    if (await text.peek() === "}" && isFirst) break;
    const name = plainValue(await text.value());
    expect(await text.take(), ":");
    yield name;
    const next = await text.take();
    if (next === "}") return;
    expect(next, ",");
  }
  await text.take();
}

async function* listRows(
  text: JsonText,
  answer: Answer,
  path: readonly string[],
): AsyncGenerator<readonly string[], void> {
  const name = path.join(".") || "the whole";
  let isPlain: boolean | undefined;
  if (await text.peek() === "]") {
    await text.take();
    return;
  }
  for (;;) {
    const begin = await text.peek();
    const isRow = begin === "[" || begin === "{";
    const value = await text.value();
    isPlain ??= !isRow;
    if (isPlain === isRow) throw new Error("it has a list with rows and other values");
    if (isRow) {
      answer.rows ??= name;
      if (answer.rows !== name) {
        throw new Error(`it holds several lists of rows, ${answer.rows} and ${name}. Leave one`);
      }
      yield [value];
    } else if (answer.plain.length < PLAIN_MAX) {
      answer.plain.push([path.at(-1) ?? "", plainValue(value)]);
    }
    const next = await text.take();
    if (next === "]") break;
    expect(next, ",");
    if (isRow) yield text.rows(true);
  }
  if (isPlain) answer.lists++;
}

/** Makes the lines of a row, for the first one with that of the names: all rows have the names of the first. */
function csvLines(onNames: () => void): (row: string) => readonly string[] {
  let count = 0;
  let names: readonly string[] | undefined;
  let readSame: (text: string) => JsonRow | undefined = () => undefined;
  return (text) => {
    count++;
    const fail = (why: string): never => {
      throw new Error(`row ${count}: ${why}`);
    };
    let row: JsonRow;
    try {
      row = readSame(text) ?? readJsonRow(text);
    } catch (error) {
      return fail(errorText(error));
    }
    if (count === 1) {
      names = row.names;
      readSame = sameShape(row);
    }
    if ((row.names === undefined) !== (names === undefined)) {
      fail("it is a list where others are objects, or an object where others are lists");
    }
    const line = csvLine(names === undefined ? row.values : ordered(names, row, fail));
    if (count > 1 || names === undefined) return [line];
    onNames();
    return [csvLine(names), line];
  };
}

function csvLine(fields: readonly string[]): string {
  return fields.map(csvField).join(",");
}

/** The values in the order of the names. A value that is not given is nothing. */
function ordered(
  names: readonly string[],
  row: JsonRow,
  fail: (why: string) => never,
): readonly string[] {
  const own = row.names!;
  if (own.length === names.length && own.every((name, at) => name === names[at])) return row.values;
  const unknown = own.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    fail(`it has ${JSON.stringify(unknown.slice(0, 40))}, which the first row has not`);
  }
  return names.map((name) => row.values[own.indexOf(name)] ?? "");
}

function plainValue(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return value === null ? "" : String(value);
  } catch (error) {
    throw new Error("it is not valid JSON", { cause: error });
  }
}

function expect(found: string, wanted: string): void {
  if (found !== wanted) throw new Error("it is not valid JSON");
}

const MESSAGE = /^(?:err(?:or)?|(?:err(?:or)?|ret)?[-_]?(?:msg|message))$/i;
const CODE = /^(?:(?:err(?:or)?|ret)?[-_]?code|label|status)$/i;
const FINE = /^(?:|ok|success|null|0|false|true)$/i;

/** Names of what an answer is of. */
const INSTRUMENT =
  /^(?:symbol|inst(?:rument)?[-_]?(?:id|name)?|ticker|(?:currency[-_]?)?pair|market[-_]?id|product[-_]?id|contract[-_]?(?:code|name)?)$/i;

/** What an exchange says instead of candles; undefined if it says nothing like it. */
function errorAnswer(plain: Answer["plain"]): string | undefined {
  const said = plain.find(([name, value]) => MESSAGE.test(name) && !FINE.test(value.trim()));
  if (said === undefined) return undefined;
  const code = plain.find(([name, value]) => CODE.test(name) && !FINE.test(value.trim()));
  const text = [code?.[1], said[1]].filter((part) => part !== undefined).join(", ");
  return "it is an error that an exchange answered, not candles: " +
    printable(text.slice(0, 200));
}
