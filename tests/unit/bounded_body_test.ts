import assert from "node:assert/strict";
import { AnswerBudget, AnswerTooLargeError } from "../../lib/exchange/answer_budget.ts";
import { readText } from "../../lib/exchange/bounded_body.ts";

const budget = (bytesMax: number): AnswerBudget =>
  new AnswerBudget({ bytesMax, wordsMax: 1, entriesMax: 1 });

const isTooLong = (error: unknown): boolean =>
  error instanceof AnswerTooLargeError && /longer than 10 bytes/.test(error.message);

Deno.test("an answer within the bound is read whole, whatever its length is said to be", async () => {
  for (const length of ["4", "99999999999", "-1", "abc"]) {
    const headers = { "content-length": length };
    assert.equal(
      await readText(new Response(pieces(2), { headers }), { budget: budget(10) }),
      "abcdabcd",
    );
  }
});

Deno.test("an answer fails as soon as it is longer than the bound, and the rest is not read", async () => {
  for (const length of ["4", "99999999999"]) {
    const body = pieces(1_000_000);
    const answer = new Response(body, { headers: { "content-length": length } });
    await assert.rejects(readText(answer, { budget: budget(10) }), isTooLong);
  }
});

Deno.test("all answers to one call share its bound", async () => {
  const shared = budget(10);
  assert.equal(await readText(new Response(pieces(2)), { budget: shared }), "abcdabcd");
  await assert.rejects(readText(new Response(pieces(1)), { budget: shared }), isTooLong);
});

Deno.test("an answer whose characters lie across pieces is read as it is", async () => {
  const bytes = new TextEncoder().encode('\ufeff["币安€"]');
  const body = new ReadableStream({
    type: "bytes",
    start(controller): void {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
      controller.close();
    },
  });
  assert.equal(await readText(new Response(body), { budget: budget(100) }), '["币安€"]');
});

Deno.test("of an error only the beginning is read, however long it is", async () => {
  const answer = new Response(pieces(1_000_000), { status: 429 });
  const text = await readText(answer, { budget: budget(10_000_000) });
  assert.equal(text.length, 64 * 1024);
});

Deno.test("an answer with two lengths is refused", async () => {
  const headers = { "content-length": "8", "transfer-encoding": "chunked" };
  await assert.rejects(
    readText(new Response(pieces(2), { headers }), { budget: budget(10) }),
    /both a Content-Length and a Transfer-Encoding/,
  );
});

Deno.test("an answer without a body is empty", async () => {
  const answer = new Response(null, { status: 204 });
  assert.equal(await readText(answer, { budget: budget(10) }), "");
});

/** A body in so many pieces of four bytes. */
function pieces(count: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let sent = 0;
  return new ReadableStream({
    type: "bytes",
    pull(controller): void {
      if (sent++ < count) controller.enqueue(new TextEncoder().encode("abcd"));
      else {
        controller.close();
        controller.byobRequest?.respond(0);
      }
    },
  });
}
