/** What the doctor says of a dataset's place. @module */
import assert from "node:assert/strict";
import { join } from "node:path";
import { logger } from "../../lib/telemetry/log.ts";
import { type PlaceFound, probePlace } from "../../lib/transfer/dataset_probe.ts";
import type { PlaceGround } from "../../lib/transfer/open_place.ts";
import { type FaultyS3, withFaultyS3 } from "../support/faulty_s3.ts";
import { testClock } from "../support/test_clock.ts";

function groundOf(s3: FaultyS3["settings"]): PlaceGround {
  const retry = { attempts: 2, minMs: 1, maxMs: 1 };
  return { config: { s3, retry }, clock: testClock, random: () => 0, log: logger("test") };
}

const probe = (url: string, { settings }: Pick<FaultyS3, "settings">): Promise<PlaceFound> =>
  probePlace(url, groundOf(settings));

Deno.test("a bucket that can be written is well, and has no object more than before", () =>
  withFaultyS3(async (server) => {
    const found = await probe("s3://candles/of/all", server);
    assert.deepEqual(found, { message: "s3://candles/of/all can be written", isHint: false });
    assert.equal(server.objects.size, 0);
  }));

Deno.test("a server that cannot keep two writers apart is told of as a hint", () =>
  withFaultyS3(async (server) => {
    server.ignoresConditions = true;
    const { message, isHint } = await probe("s3://candles", server);
    assert.match(message, /does not keep two writers apart/);
    assert(isHint);
    assert.equal(server.objects.size, 0);
  }));

Deno.test("a bucket that there is not, and a key that may not write, are wrong", () =>
  withFaultyS3(async (server) => {
    await assert.rejects(probe("s3://other/x", server), /there is no bucket other/);
    server.fault = ({ what }) => what === "PUT" ? { status: 403, code: "AccessDenied" } : undefined;
    await assert.rejects(probe("s3://candles/x", server), /access is denied \(AccessDenied\)/);
  }));

Deno.test("a folder is made and can be written, unless something stands in its way", () =>
  withFaultyS3(async (server) => {
    const folder = await Deno.makeTempDir({ prefix: "titan10-test-" });
    try {
      const path = join(folder, "a/dataset");
      const found = await probe(path, server);
      assert.deepEqual(found, { message: `${path} can be written`, isHint: false });
      assert.deepEqual(await Array.fromAsync(Deno.readDir(path)), []);
      await Deno.writeTextFile(join(folder, "file"), "");
      await assert.rejects(
        probe(join(folder, "file/dataset"), server),
        /^Error: Cannot write to .*\/file\/dataset: Not a directory\. Correct DATASET_URL, or the rights of the folder$/,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }));
