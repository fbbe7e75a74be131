/** What is said of each variable that the program reads. @module */
import type { z } from "zod";

/** What only the floors above know. */
export interface ConfigRules {
  readonly knownExchanges: readonly string[];
  readonly isCron: (text: string) => boolean;
  /**
   * Whether logs go to a terminal.
   *
   * @default false
   */
  readonly isTerminal?: boolean | undefined;
}

/** A row of the table. */
interface Row {
  readonly name: string;
  /** As it would be written. @default the variable is unset */
  readonly default?: string;
  /** A sentence for people. */
  readonly meaning: string;
  /** What there is to know besides, for `.env.example`. */
  readonly details?: string;
  /** Whether the value may hold a secret, and is therefore never shown. @default false */
  readonly secret?: boolean;
  readonly read: (rules: ConfigRules) => z.ZodType<unknown, string | undefined>;
  /** What a shell offers for the value. @default nothing */
  readonly completion?: Completion;
}

export interface Variable extends Row {
  /** The heading under which it stands in `--help` and `.env.example`. */
  readonly group: string;
}

/** Some words, once or separated by commas; CCXT's exchanges, separated by commas; or a directory. */
export type Completion =
  | { readonly kind: "one" | "list"; readonly words: readonly string[] }
  | { readonly kind: "exchanges" }
  | { readonly kind: "directory" };

/** The rows of one group, by the field of the configuration that each sets. */
export function inGroup<const Rows extends Readonly<Record<string, Row>>>(
  group: string,
  rows: Rows,
): { readonly [Field in keyof Rows]: Rows[Field] & { readonly group: string } } {
  const entries = Object.entries(rows).map(([field, row]) => [field, { ...row, group }]);
  return Object.fromEntries(entries);
}
