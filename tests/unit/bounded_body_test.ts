import assert from "node:assert/strict";
import { boundBody } from "../../lib/exchange/bounded_body.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";

const isTooLong = (error: unknown): boolean =>
  error instanceof FetchError && error.kind === "transient" &&
  /longer than 10 bytes/.test(error.message);

Deno.test("an answer within the bound is read whole, with its status and headers", async () => {
  const answer = await boundBody(
    new Response(pieces(2), { status: 503, headers: { "retry-after": "5" } }),
    10,
  );
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get("retry-after"), "5");
  assert.equal(await answer.text(), "abcdabcd");
});

Deno.test("an answer that names a length beyond the bound is not read", async () => {
  let isCancelled = false;
  const body = new ReadableStream({ cancel: () => void (isCancelled = true) });
  await assert.rejects(
    boundBody(new Response(body, { headers: { "content-length": "11" } }), 10),
    isTooLong,
  );
  assert(isCancelled);
});

Deno.test("an answer without a length fails as soon as it is longer than the bound", async () => {
  await assert.rejects(boundBody(new Response(pieces(1_000_000)), 10), isTooLong);
});

Deno.test("the length of a packed answer says nothing about what it unpacks to", async () => {
  const headers = { "content-length": "4", "content-encoding": "gzip" };
  await assert.rejects(boundBody(new Response(pieces(1_000_000), { headers }), 10), isTooLong);
});

Deno.test("an answer without a body stays as it is", async () => {
  const answer = new Response(null, { status: 204 });
  assert.equal(await boundBody(answer, 10), answer);
});

/** A body in so many pieces of four bytes. */
function pieces(count: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let sent = 0;
  return new ReadableStream({
    pull(controller): void {
      if (sent++ < count) controller.enqueue(new TextEncoder().encode("abcd"));
      else controller.close();
    },
  });
}
