/** Where frames of zstd end. @module */
import assert from "node:assert/strict";
import { zstdCompressSync } from "node:zlib";
import { ZstdFrames } from "../../lib/transfer/zstd_frames.ts";

const FRAMES = [
  zstdCompressSync("a".repeat(100_000)),
  Uint8Array.of(0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9),
  zstdCompressSync(""),
  zstdCompressSync(Array.from({ length: 50_000 }, (_, n) => n * 7919 % 10_007).join()),
].map((frame) => new Uint8Array(frame));
const WHOLE = Uint8Array.from(FRAMES.flatMap((frame) => [...frame]));

/** How long the frames are, read in chunks of this size. */
function lengths(chunk: number): readonly number[] {
  const frames = new ZstdFrames();
  const found = [0];
  for (let at = 0; at < WHOLE.length;) {
    const read = frames.read(WHOLE.subarray(at, at + chunk));
    at += read;
    found.push(found.pop()! + read);
    if (frames.isAtEnd && at < WHOLE.length) found.push(0);
  }
  assert.ok(frames.isAtEnd);
  return found;
}

Deno.test("frames end where they end, however their bytes come", () => {
  for (const chunk of [1, 2, 7, 1_000, WHOLE.length]) {
    assert.deepEqual(lengths(chunk), FRAMES.map(({ length }) => length));
  }
});

Deno.test("a frame that was cut is not at its end", () => {
  const [frame] = FRAMES;
  for (let length = 1; length < frame!.length; length++) {
    const frames = new ZstdFrames();
    frames.read(frame!.subarray(0, length));
    assert.equal(frames.isAtEnd, false, `after ${length} bytes`);
  }
});

Deno.test("what is not zstd is refused", () => {
  assert.throws(() => new ZstdFrames().read(new TextEncoder().encode("text")), /is not zstd/);
});
