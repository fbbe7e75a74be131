/** The lock of a dataset's folder, by each way that versions of Deno have. @module */
import assert from "node:assert/strict";
import { openFolder } from "../../lib/transfer/dataset_place.ts";
import { systemClock } from "../../lib/clock.ts";

/** As in Deno 2.6, of which the executable can be made. */
async function withoutTryLock(run: () => Promise<void>): Promise<void> {
  const own = Object.getOwnPropertyDescriptor(Deno.FsFile.prototype, "tryLock");
  if (own !== undefined) Reflect.deleteProperty(Deno.FsFile.prototype, "tryLock");
  try {
    await run();
  } finally {
    if (own !== undefined) Object.defineProperty(Deno.FsFile.prototype, "tryLock", own);
  }
}

async function onlyOneWriter(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "titan10-lock-" });
  try {
    const first = await openFolder(folder, systemClock);
    await assert.rejects(openFolder(folder, systemClock), /another process is writing it/);
    await first[Symbol.asyncDispose]();
    await (await openFolder(folder, systemClock))[Symbol.asyncDispose]();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a dataset's folder has one writer at a time", onlyOneWriter);

Deno.test({
  name: "a dataset's folder has one writer at a time, also where a lock cannot be tried",
  // The lock that was refused ends after the first one, at no moment that can be awaited.
  sanitizeOps: false,
  fn: () => withoutTryLock(onlyOneWriter),
});
