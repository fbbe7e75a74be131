import assert from "node:assert/strict";
import {
  type Call,
  currentCall,
  failedRequest,
  runCall,
  runRequest,
} from "../../lib/exchange/call.ts";

/** One request of the current call to a host. */
async function request(host: string, error?: Error): Promise<void> {
  await runRequest(async () => {
    const call = currentCall()!;
    call.host = host;
    call.requests++;
    await Promise.resolve();
    if (error !== undefined) throw error;
  });
}

Deno.test("a call knows all hosts that have answered, whichever was the last", async () => {
  const failure = new Error("no");
  const call = await runCall(undefined, async (call): Promise<Call> => {
    await Promise.all([request("a.test"), request("b.test")]);
    await assert.rejects(request("c.test", failure), failure);
    await request("a.test");
    return call;
  });
  assert.deepEqual([...call.hosts].sort(), ["a.test", "b.test"]);
  assert.equal(call.requests, 4);
  assert.equal(failedRequest(failure)?.host, "c.test");
});
