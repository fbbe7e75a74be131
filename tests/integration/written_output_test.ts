/** What becomes of a command's output when its reader, or the command, ends early. @module */
import assert from "node:assert/strict";
import { writeOutput } from "../../lib/cli/written_output.ts";
import type { Shell } from "../../lib/cli/shell.ts";

const BYTES = new Uint8Array([1, 2, 3]);

/** A shell whose standard output nobody reads any more. */
const CLOSED = {
  write(): void {
    throw new Deno.errors.BrokenPipe();
  },
} as unknown as Shell;

Deno.test("a reader that closes the pipe has read enough: the command goes on to its end", async () => {
  const written = await writeOutput(CLOSED, "-", async (output) => {
    await output.write(BYTES);
    return "never";
  });
  assert.equal(written, undefined);
});

Deno.test("a file has its name only when all is written, and nothing remains of one that is not", async () => {
  const folder = await Deno.makeTempDir();
  const names = (): readonly string[] => [...Deno.readDirSync(folder)].map(({ name }) => name);
  try {
    const path = `${folder}/whole`;
    const written = await writeOutput(CLOSED, path, async (output) => {
      await output.write(BYTES);
      assert.ok(!names().includes("whole"));
      return "all";
    });
    assert.equal(written, "all");
    assert.deepEqual(await Deno.readFile(path), BYTES);
    const half = writeOutput(CLOSED, `${folder}/half`, async (output) => {
      await output.write(BYTES);
      throw new Error("the archive is away");
    });
    await assert.rejects(half, /the archive is away/);
    assert.deepEqual(names(), ["whole"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
