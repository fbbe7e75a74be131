/** What `titan10 export` writes, by the name of the file and the flags: never a file that is not what its name says. @module */
import { basename } from "node:path";
import type { Compression } from "../transfer/compressed_output.ts";
import { type ExportFlags, type FlagRefusal, refuse } from "./export_flags.ts";

export interface OutputFormat {
  readonly format: "csv" | "parquet";
  readonly compression: Compression | undefined;
}

/** What endings say. Those of compressions may stand behind that of CSV. */
const FORMATS: Readonly<Record<string, OutputFormat["format"]>> = {
  csv: "csv",
  parquet: "parquet",
};
const COMPRESSED: Readonly<Record<string, Compression>> = { gz: "gzip", zst: "zstd" };
const ENDING_OF: Readonly<Record<Compression, string>> = { gzip: ".gz", zstd: ".zst" };

const WRITTEN = "Written are .csv, .csv.gz, .csv.zst and .parquet, and names without an ending";

/** The format of a file; of standard output and of a name without ending what the flags say, else CSV. */
export function outputFormat(flags: ExportFlags, command: FlagRefusal): OutputFormat {
  const { output, compress } = flags;
  const asked = flags.format === "freqtrade" ? undefined : flags.format;
  const named = namedFormat(output);
  if ("unknown" in named) {
    if (asked === undefined) {
      refuse(
        command,
        `files with the ending ${named.unknown} are not written. ${WRITTEN}, or name a --format`,
      );
    }
    return checked({ format: asked, compression: compress }, command);
  }
  if (asked !== undefined && named.format !== undefined && named.format !== asked) {
    refuse(
      command,
      `--format ${asked} and the name ${output} contradict each other: leave one out`,
    );
  }
  if (compress !== undefined && named.format === "csv" && named.compression !== compress) {
    const remedy = named.compression === undefined
      ? `name it ${output}${ENDING_OF[compress]}`
      : "leave one out";
    refuse(
      command,
      `--compress ${compress} and the name ${output} contradict each other: ${remedy}`,
    );
  }
  return checked({
    format: named.format ?? asked ?? "csv",
    compression: compress ?? named.compression,
  }, command);
}

/** Parquet is never compressed a second time: readers could not open it. */
function checked(format: OutputFormat, command: FlagRefusal): OutputFormat {
  if (format.format === "parquet" && format.compression !== undefined) {
    refuse(
      command,
      "Parquet is compressed already, and readers want it as it is: only CSV can be compressed",
    );
  }
  return format;
}

type NamedFormat =
  | { readonly format?: OutputFormat["format"]; readonly compression?: Compression }
  | { readonly unknown: string };

/** What a name says; nothing where it has no ending. */
function namedFormat(output: string | undefined): NamedFormat {
  // Devices have names with dots that are no endings.
  if (output === undefined || output === "-" || output.startsWith("/dev/")) return {};
  // A name may begin with a dot.
  const [, ...endings] = basename(output).slice(1).toLowerCase().split(".");
  const last = endings.at(-1);
  if (last === undefined) return {};
  const compression = COMPRESSED[last];
  if (compression === undefined) {
    const format = FORMATS[last];
    return format === undefined ? { unknown: `.${last}` } : { format };
  }
  const before = endings.at(-2);
  const format = before === undefined ? "csv" : FORMATS[before];
  return format === undefined ? { unknown: `.${before}.${last}` } : { format, compression };
}
