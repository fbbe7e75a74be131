/** A published file comes out of its archive whole, or is refused. @module */
import assert from "node:assert/strict";
import { unpackOnly } from "../../lib/exchange/archives/zip_member.ts";
import { zip } from "../support/zip_files.ts";

const NAME = "BTCUSDT-1m-2024-03.zip";
const MEMBER = "BTCUSDT-1m-2024-03.csv";
const TEXT = "1709251200000,400.00,400.50,398.00,398.75,1.5\n".repeat(500);

/** How archives are written: packed or stored, with what is only known at the end behind the member, for large ones. */
const WAYS = [true, false].flatMap((dataDescriptor) =>
  [true, false].flatMap((zip64) => [0, 6].map((level) => ({ dataDescriptor, zip64, level })))
);

Deno.test("a member comes out as it went in, however its archive is written", async () => {
  for (const options of WAYS) {
    for (const content of [TEXT, ""]) {
      const bytes = await unpackOnly(await zip([{ name: MEMBER, content, options }]), NAME);
      assert.equal(new TextDecoder().decode(bytes), content, JSON.stringify(options));
    }
  }
});

Deno.test("an archive with one changed byte of its member is refused", async () => {
  for (const options of WAYS) {
    const archive = await zip([{ name: MEMBER, content: TEXT, options }]);
    archive[Math.floor(archive.length / 3)]! ^= 1;
    await assert.rejects(unpackOnly(archive, NAME), /cannot be unpacked/, JSON.stringify(options));
  }
});

Deno.test("a member that is larger than any candles is refused as too large", async () => {
  const content = new Uint8Array(64 * 1024 * 1024 + 1);
  for (const level of [0, 1]) {
    const archive = await zip([{ name: MEMBER, content, options: { level } }]);
    await assert.rejects(unpackOnly(archive, NAME), /it is too large/);
  }
});
