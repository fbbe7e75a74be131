/** What a terminal can show, and the lines that stand last on it and are drawn anew. @module */

type Env = Readonly<Record<string, string | undefined>>;

/** What may be written to one stream besides plain lines. */
export interface Abilities {
  /** Whether lines may be replaced: somebody watches, and the terminal can move. */
  readonly canRedraw: boolean;
  readonly hasColor: boolean;
}

/**
 * What a stream can show. `TERM=dumb` cannot move, and the log of a CI is read afterwards. Colours go to terminals,
 * unless `NO_COLOR` is set (no-color.org), which beats `FORCE_COLOR` (force-color.org): that one colours pipes, too.
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

/** Lines that stay below everything else that is written to a terminal, until they are replaced. */
export class DrawnLines {
  readonly #write: (text: string) => void;
  #lines: readonly string[] = [];

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Replaces the lines drawn before. None may be wider than the terminal. */
  draw(lines: readonly string[]): void {
    this.#write(this.#erased() + lines.map((line) => `${line}\n`).join(""));
    this.#lines = lines;
  }

  /** Writes a text above them. */
  tell(text: string): void {
    if (this.#lines.length === 0) return this.#write(`${text}\n`);
    this.#write(`${this.#erased()}${[text, ...this.#lines].join("\n")}\n`);
  }

  /** Has something else write whole lines above them, to the same terminal. */
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

/** Colours a text, where that is wanted. */
export type Paint = (color: keyof typeof COLORS, text: string) => string;

/** Paints with ANSI escapes, or not at all. */
export function painter(hasColor: boolean): Paint {
  return (color, text) => hasColor && text !== "" ? `\x1b[${COLORS[color]}m${text}\x1b[0m` : text;
}
