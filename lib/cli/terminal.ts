/** What a terminal supports, and lines at its bottom that are redrawn. @module */

type Env = Readonly<Record<string, string | undefined>>;

/** What may be written to a stream besides plain lines. */
export interface Abilities {
  /** Whether lines can be replaced: a user watches, and the terminal supports it. */
  readonly canRedraw: boolean;
  readonly hasColor: boolean;
}

/**
 * Finds out what a stream supports. `TERM=dumb` cannot move the cursor, and the log of a CI run is read only
 * afterwards. Terminals get colours unless `NO_COLOR` is set (no-color.org). `FORCE_COLOR` (force-color.org) also
 * colours pipes; `NO_COLOR` overrides it.
 */
export function abilitiesOf(isTerminal: boolean, env: Env): Abilities {
  const canRedraw = isTerminal && env["TERM"] !== "dumb" && !isOn(env["CI"]);
  const isForced = isOn(env["FORCE_COLOR"]);
  const isForbidden = (env["NO_COLOR"] ?? "") !== "" || (!isForced && isSet(env["FORCE_COLOR"]));
  const byItself = isTerminal && env["TERM"] !== "dumb";
  return { canRedraw, hasColor: !isForbidden && (isForced || byItself) };
}

function isSet(text: string | undefined): boolean {
  return text !== undefined && text !== "";
}

function isOn(text: string | undefined): boolean {
  return isSet(text) && text !== "0" && text !== "false";
}

/** Lines that stay at the bottom of a terminal, below all other output, until they are replaced. */
export class DrawnLines {
  readonly #write: (text: string) => void;
  #lines: readonly string[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Replaces the lines that were drawn before. No line may be wider than the terminal. */
  draw(lines: readonly string[]): void {
    this.#write(this.#erased() + lines.map((line) => `${line}\n`).join(""));
    this.#lines = lines;
  }

  /** Writes a text above the lines. */
  tell(text: string): void {
    if (this.#lines.length === 0) return this.#write(`${text}\n`);
    this.#write(`${this.#erased()}${[text, ...this.#lines].join("\n")}\n`);
  }

  /** Calls a function that writes whole lines to the same terminal, above the drawn lines. */
  above<T>(write: () => T): T {
    if (this.#lines.length === 0) return write();
    this.#write(this.#erased());
    const written = write();
    this.#write(`${this.#lines.join("\n")}\n`);
    return written;
  }

  #erased(): string {
    return this.#lines.length === 0 ? "" : `\x1b[${this.#lines.length}A\r\x1b[J`;
  }
}

const COLORS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 } as const;

/** Colours a text, if colours are wanted. */
export type Paint = (color: keyof typeof COLORS, text: string) => string;

/** Paints with ANSI escapes, or returns the text unchanged. */
export function painter(hasColor: boolean): Paint {
  return (color, text) => hasColor && text !== "" ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
}
