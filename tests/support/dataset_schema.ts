/** docs/dataset.schema.json anew, from what reads manifests. @module */
import { z } from "zod";
import { DatasetManifest, MonthManifest } from "../../lib/transfer/dataset_manifest.ts";

/** The JSON Schema of both manifests of a dataset, as text. */
export function datasetSchema(): string {
  const [root, month] = [DatasetManifest, MonthManifest].map((manifest) =>
    z.toJSONSchema(manifest)
  );
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "_manifest.json of a dataset, or _candles.json beside one of its files",
    anyOf: [root, month].map(({ $schema: _, ...one }: Record<string, unknown> = {}) => one),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(
    new URL("../../docs/dataset.schema.json", import.meta.url),
    datasetSchema(),
  );
}
