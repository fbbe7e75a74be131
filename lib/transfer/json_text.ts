/** Reads JSON piece by piece, and holds no more of it than one value. @module */

/** Ten times longer than any candle. */
const VALUE_CHARACTERS_MAX = 64 * 1024;

/** No answer of an exchange is as deep. */
const DEPTH_MAX = 16;

const CUT = "it ends in the middle: the file was cut. Download it again";

export class JsonText {
  readonly #pieces: AsyncIterator<string, void>;
  #text = "";
  #at = 0;

  constructor(pieces: AsyncIterator<string, void>) {
    this.#pieces = pieces;
  }

  /** The next character that is no space; undefined at the end. It stays. */
  async peek(): Promise<string | undefined> {
    for (;;) {
      this.#at = afterSpace(this.#text, this.#at);
      if (this.#at < this.#text.length) return this.#text[this.#at];
      if (!await this.#more()) return undefined;
    }
  }

  /** Takes the next character that is no space. */
  async take(): Promise<string> {
    const character = await this.peek();
    if (character === undefined) throw new Error(CUT);
    this.#at++;
    return character;
  }

  /** The first line, if it is not too long for a row. It stays. */
  async firstLine(): Promise<string | undefined> {
    await this.peek();
    for (;;) {
      const end = this.#text.indexOf("\n", this.#at);
      const isTooLong = (end < 0 ? this.#text.length : end) - this.#at > VALUE_CHARACTERS_MAX;
      if (isTooLong) return undefined;
      if (end >= 0) return this.#text.slice(this.#at, end).trim();
      if (!await this.#more()) return this.#text.slice(this.#at).trim();
    }
  }

  /** Takes the next value whole: a text, a number, a word, a list or an object. */
  async value(): Promise<string> {
    if (await this.peek() === undefined) throw new Error(CUT);
    for (;;) {
      const end = endOf(this.#text, this.#at);
      if (end !== undefined) {
        const value = this.#text.slice(this.#at, end);
        this.#at = end;
        return value;
      }
      if (this.#text.length - this.#at > VALUE_CHARACTERS_MAX) {
        throw new Error("it has a value that is too long for a candle");
      }
      if (await this.#more()) continue;
      // Nothing ends a number but what follows it.
      const rest = this.#text.slice(this.#at);
      if (!/^[\w.+-]+$/.test(rest)) throw new Error(CUT);
      this.#at = this.#text.length;
      return rest;
    }
  }

  /**
   * Takes the lists and objects that follow each other, as many as are there whole. Where they are the elements of a list
   * the last one stays: what follows it is not a comma, or is not there yet.
   */
  rows(isList: boolean): readonly string[] {
    const rows: string[] = [];
    const text = this.#text;
    for (let at = this.#at;;) {
      at = afterSpace(text, at);
      const first = text.charCodeAt(at);
      if (first !== 0x5b && first !== 0x7b) return rows;
      const end = endOf(text, at);
      if (end === undefined) return rows;
      const next = isList ? afterSpace(text, end) : end;
      if (isList && text.charCodeAt(next) !== 0x2c) return rows;
      rows.push(text.slice(at, end));
      at = isList ? next + 1 : next;
      this.#at = at;
    }
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#pieces.next();
    if (done === true) return false;
    this.#text = this.#text.slice(this.#at) + value;
    this.#at = 0;
    return true;
  }
}

function afterSpace(text: string, since: number): number {
  let at = since;
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return at;
}

/** Where the value that begins there ends; undefined if the text ends before. */
function endOf(text: string, begin: number): number | undefined {
  let depth = 0;
  for (let at = begin; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x22: { // A text.
        at = textEnd(text, at);
        if (at < 0) return undefined;
        if (depth === 0) return at + 1;
        break;
      }
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > DEPTH_MAX) throw new Error("it is nested too deeply");
        break;
      case 0x5d: // ]
      case 0x7d: // }
        if (depth === 0) return at;
        if (--depth === 0) return at + 1;
        break;
      case 0x2c: // ,
      case 0x3a: // :
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        if (depth === 0) return at;
    }
  }
  return undefined;
}

/** Where the quote stands that ends a text; -1 if it is not there yet. */
function textEnd(text: string, begin: number): number {
  for (let at = begin + 1;; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return -1;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return at;
  }
}
