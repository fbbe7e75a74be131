/** How statements share the connections that a server has room for. @module */
import assert from "node:assert/strict";
import { ConnectionRoom } from "../../lib/store/connection/connection_room.ts";
import { ManualClock } from "../support/manual_clock.ts";

/** A server that lets in so many. */
function serverOf(
  connectionsMax: number,
): { readonly ask: () => Promise<number>; refused: number } {
  let open = 0;
  const server = {
    refused: 0,
    async ask(): Promise<number> {
      await Promise.resolve();
      if (open === connectionsMax) {
        server.refused++;
        throw Object.assign(new Error("too many connections"), { code: "53300" });
      }
      open++;
      await Promise.resolve();
      return open--;
    },
  };
  return server;
}

Deno.test("what is refused a connection waits for those that there are", async () => {
  const room = new ConnectionRoom({ clock: new ManualClock(), waitMsMax: 1_000 });
  const server = serverOf(2);
  const ask = (): Promise<number> => room.run(server.ask);
  assert.equal((await Promise.all(Array.from({ length: 20 }, ask))).length, 20);
  assert(server.refused > 0);
  server.refused = 0;
  await Promise.all(Array.from({ length: 20 }, ask));
  assert.equal(server.refused, 0, "it is known how many there are");
});

Deno.test("where there is no connection to wait for, the refusal is told", async () => {
  const room = new ConnectionRoom({ clock: new ManualClock(), waitMsMax: 1_000 });
  const server = serverOf(0);
  const asked = await Promise.allSettled(
    Array.from({ length: 5 }, () => room.run(server.ask)),
  );
  for (const { status } of asked) assert.equal(status, "rejected");
});

Deno.test("nobody waits for a connection longer than it may", async () => {
  const clock = new ManualClock();
  const room = new ConnectionRoom({ clock, waitMsMax: 1_000 });
  const held = Promise.withResolvers<void>();
  const holding = room.run(() => held.promise);
  const waiting = room.run(() =>
    Promise.reject(Object.assign(new Error("too many connections"), { code: "53300" }))
  );
  const refused = assert.rejects(waiting, /too many connections/);
  await clock.advance(1_001);
  await refused;
  held.resolve();
  await holding;
});
