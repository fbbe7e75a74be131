/** Every format of files that is known: imported as the truth, or refused with the option to give. @module */
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type ArchivePlace, withAnyArchivePlace } from "../support/archive_place.ts";
import { plain } from "../support/file_candles.ts";
import { takeAll } from "../support/file_cases.ts";
import { EXCHANGE_FORMATS } from "../support/file_formats/exchange_formats.ts";
import { PROGRAM_FORMATS } from "../support/file_formats/program_formats.ts";
import { PACKED_FORMATS } from "../support/file_formats/packed_formats.ts";
import type { FileFormat, Try } from "../support/file_formats/format.ts";
import { runInProcess } from "../support/shell.ts";

const FORMATS = [...EXCHANGE_FORMATS, ...PROGRAM_FORMATS, ...PACKED_FORMATS];

Deno.test("each format that people have is imported right, or refused with the option to give", async (t) => {
  assert.ok(FORMATS.length >= 45, `there are only ${FORMATS.length}`);
  await withAnyArchivePlace(async (place) => {
    for (const format of FORMATS) {
      await t.step(format.name, async () => {
        for (const one of format.tries) await tryImport(place, format, one);
      });
    }
  });
});

async function tryImport(place: ArchivePlace, format: FileFormat, one: Try): Promise<void> {
  const path = `${place.folder}/files/${format.path}`;
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeFile(
    path,
    typeof format.bytes === "string" ? new TextEncoder().encode(format.bytes) : format.bytes,
  );
  const env = { BACKFILL: "off", ...place.env };
  const { code, stderr, stdout } = await runInProcess(["import", path, ...one.flags], env);
  await Deno.remove(`${place.folder}/files`, { recursive: true });
  const given = one.flags.join(" ");
  const { rows, series } = await place.withDatabase(takeAll);
  if (one.stored === undefined) {
    assert.equal(code, 1, `${given}: ${stdout}`);
    assert.match(`${given}: ${stderr}`, one.refused!);
  } else assert.equal(code, 0, `${given}: ${stderr}`);
  assert.deepEqual(rows, (one.stored ?? []).map((row) => plain(row).replace(/,$/, "")), given);
  if (one.as !== undefined && one.stored !== undefined) assert.deepEqual(series, [one.as], given);
}
