/** The type of the table of variables. @module */
import type { z } from "zod";

/** What the configuration needs from other parts of the program. */
export interface ConfigRules {
  readonly knownExchanges: readonly string[];
  readonly isCron: (text: string) => boolean;
  /**
   * Whether logs are written to a terminal.
   *
   * @default false
   */
  readonly isTerminal?: boolean | undefined;
  /** A range of days may not end later. Milliseconds. @default no end is refused */
  readonly nowMs?: number | undefined;
}

/** Texts of settings, by the names of their variables. */
export type SettingTexts = Readonly<Record<string, string | undefined>>;

/** A row of the table. */
interface Row {
  readonly name: string;
  /** The default value as a text. @default the variable is unset */
  readonly default?: string;
  /** One sentence that describes it. */
  readonly meaning: string;
  /** More details, for `.env.example`. */
  readonly details?: string;
  /**
   * Whether the value may hold a secret. Such a value is never shown, and can be in a file: see
   * {@linkcode fileVariable}.
   *
   * @default false
   */
  readonly secret?: boolean;
  readonly read: (rules: ConfigRules) => z.ZodType<unknown, string | undefined>;
  /** What the shell suggests as the value. @default nothing */
  readonly completion?: Completion;
}

export interface Variable extends Row {
  /** Its heading in `--help` and `.env.example`. */
  readonly group: string;
}

/** The variable that names a file which holds the value of a secret variable: `HTTP_TOKEN_FILE`. */
export function fileVariable(name: string): string {
  return `${name}${FILE_ENDING}`;
}

export const FILE_ENDING = "_FILE";

/** Words, either one or several separated by commas; CCXT's exchanges, separated by commas; or a directory. */
export type Completion =
  | { readonly kind: "one" | "list"; readonly words: readonly string[] }
  | { readonly kind: "exchanges" }
  | { readonly kind: "directory" };

/** The rows of one group, by the configuration field that each sets. */
export function inGroup<const Rows extends Readonly<Record<string, Row>>>(
  group: string,
  rows: Rows,
): { readonly [Field in keyof Rows]: Rows[Field] & { readonly group: string } } {
  const entries = Object.entries(rows).map(([field, row]) => [field, { ...row, group }]);
  return Object.fromEntries(entries);
}
