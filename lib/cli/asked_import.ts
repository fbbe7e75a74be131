/** What `titan10 import` was asked for. @module */
import type { Ground } from "../daemon/open_archive.ts";
import type { FileOptions } from "../transfer/candle_file.ts";
import type { listFiles } from "../transfer/file_list.ts";
import type { FormatFlags } from "./import_format_flags.ts";
import type { Shell } from "./shell.ts";

export interface ImportFlags extends FormatFlags {
  readonly exchange?: string;
  readonly symbol?: string;
  readonly timeframe?: string;
  readonly instrument?: string;
  readonly since?: number;
  readonly until?: number;
  readonly complete?: true;
  readonly replace?: true;
  readonly again?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** The flags, and what they name. */
export interface AskedImport {
  readonly shell: Shell;
  readonly ground: Ground;
  readonly flags: ImportFlags;
  readonly list: Awaited<ReturnType<typeof listFiles>>;
  readonly format: FileOptions;
}
