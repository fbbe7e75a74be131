/** `titan10 export` writes what the name of the file says, and nothing under another name. @module */
import assert from "node:assert/strict";
import { type OutputFormat, outputFormat } from "../../lib/cli/export_format.ts";
import type { ExportFlags } from "../../lib/cli/export_flags.ts";

type Asked = Partial<Pick<ExportFlags, "output" | "format" | "compress">>;

function formatOf(asked: Asked): OutputFormat | string {
  const flags: ExportFlags = { what: "candles", source: "exchange", merge: "primary", ...asked };
  try {
    return outputFormat(flags, {
      error(message): never {
        throw new Error(message);
      },
    });
  } catch (error) {
    return (error as Error).message;
  }
}

Deno.test("the name says what is written, else the flags do, else it is CSV", () => {
  const cases: readonly (readonly [Asked, OutputFormat["format"], OutputFormat["compression"]?])[] =
    [
      [{}, "csv"],
      [{ output: "-" }, "csv"],
      [{ output: "x" }, "csv"],
      [{ output: ".hidden" }, "csv"],
      [{ output: "some.folder/x" }, "csv"],
      [{ output: "/dev/stdout" }, "csv"],
      [{ output: "x.csv" }, "csv"],
      [{ output: "X.CSV" }, "csv"],
      [{ output: "2024.01.31.csv" }, "csv"],
      [{ output: "x.csv.gz" }, "csv", "gzip"],
      [{ output: "x.gz" }, "csv", "gzip"],
      [{ output: "x.csv.zst" }, "csv", "zstd"],
      [{ output: "x.parquet" }, "parquet"],
      [{ format: "parquet" }, "parquet"],
      [{ format: "parquet", output: "x" }, "parquet"],
      [{ format: "parquet", output: "x.parquet" }, "parquet"],
      [{ format: "csv", output: "candles.txt" }, "csv"],
      [{ compress: "gzip" }, "csv", "gzip"],
      [{ compress: "zstd", output: "x" }, "csv", "zstd"],
      [{ compress: "gzip", output: "x.csv.gz" }, "csv", "gzip"],
    ];
  for (const [asked, format, compression] of cases) {
    assert.deepEqual(formatOf(asked), { format, compression }, JSON.stringify(asked));
  }
});

Deno.test("endings that are not written, and contradictions, are refused with what to do", () => {
  const cases: readonly (readonly [Asked, RegExp])[] = [
    ...["json", "xlsx", "feather", "arrow", "zip", "bz2", "tar.gz", "json.gz", "parquet.bak"].map(
      (ending): [Asked, RegExp] => [
        { output: `x.${ending}` },
        new RegExp(
          `^error: files with the ending \\.${
            ending.replace("parquet.", "").replaceAll(".", "\\.")
          } are not ` +
            "written\\. Written are \\.csv, \\.csv\\.gz, \\.csv\\.zst and \\.parquet",
        ),
      ],
    ),
    [{ output: "x.csv", format: "parquet" }, /--format parquet and the name x.csv contradict/],
    [{ output: "x.parquet", format: "csv" }, /--format csv and the name x.parquet contradict/],
    [{ output: "x.csv.gz", format: "parquet" }, /contradict/],
    [{ output: "x.csv", compress: "gzip" }, /contradict each other: name it x\.csv\.gz$/],
    [{ output: "x.csv.gz", compress: "zstd" }, /contradict each other: leave one out$/],
    ...[{ output: "x.parquet.gz" }, { output: "x.parquet", compress: "zstd" } as const].map(
      (asked): [Asked, RegExp] => [asked, /^error: Parquet is compressed already/],
    ),
    [{ format: "parquet", compress: "gzip" }, /^error: Parquet is compressed already/],
  ];
  for (const [asked, text] of cases) {
    assert.match(String(formatOf(asked)), text, JSON.stringify(asked));
  }
});
