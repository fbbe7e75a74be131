/** Which statement is sent next on a database with one connection. @module */
import assert from "node:assert/strict";
import { VisitorTurns } from "../../lib/store/connection/visitor_turns.ts";
import { ManualClock } from "../support/manual_clock.ts";

interface Scene {
  readonly clock: ManualClock;
  readonly sent: readonly string[];
  page(name: string): Promise<void>;
  visit(name: string): Promise<void>;
  end(name: string): Promise<void>;
}

function scene(): Scene {
  const clock = new ManualClock();
  const turns = new VisitorTurns(clock);
  const sent: string[] = [];
  const ends = new Map<string, () => void>();
  const statement = (name: string) => async (): Promise<void> => {
    sent.push(name);
    await new Promise<void>((resolve) => ends.set(name, resolve));
  };
  return {
    clock,
    sent,
    page: (name: string) => turns.archive(statement(name)),
    visit: (name: string) => turns.visitor(statement(name)),
    end: async (name: string): Promise<void> => {
      ends.get(name)!();
      await clock.advance(0);
    },
  };
}

Deno.test("a visitor's statement is sent when no page waits, and one at a time, so that a page passes the others", async () => {
  const { clock, sent, page, visit, end } = scene();
  const all = [page("page 1"), visit("visit 1"), visit("visit 2"), page("page 2")];
  await clock.advance(0);
  assert.deepEqual(sent, ["page 1", "page 2"]);
  await end("page 1");
  assert.deepEqual(sent, ["page 1", "page 2"]);
  await end("page 2");
  assert.deepEqual(sent, ["page 1", "page 2", "visit 1"]);
  all.push(page("page 3"));
  await end("visit 1");
  assert.deepEqual(sent.slice(3), ["page 3"], "a page waits behind two visitors");
  await end("page 3");
  await end("visit 2");
  await Promise.all(all);
  assert.equal(clock.sleepers, 0);
});

Deno.test("where pages follow each other without a pause, a visitor waits a quarter of a second", async () => {
  const { clock, sent, page, visit, end } = scene();
  const all = [page("page"), visit("visit")];
  await clock.advance(249);
  assert.deepEqual(sent, ["page"]);
  await clock.advance(1);
  assert.deepEqual(sent, ["page", "visit"]);
  await end("page");
  await end("visit");
  await Promise.all(all);
});

Deno.test("a visitor's turn lasts until the visitor ends it, and the pages that came meanwhile go before the next", async () => {
  const clock = new ManualClock();
  const turns = new VisitorTurns(clock);
  const taken: string[] = [];
  const end = await turns.take();
  const next = turns.take().then((end) => {
    taken.push("turn");
    end();
  });
  const page = Promise.withResolvers<void>();
  const stored = turns.archive(() => page.promise).then(() => taken.push("page"));
  await clock.advance(1_000);
  end();
  await clock.advance(0);
  assert.deepEqual(taken, []);
  page.resolve();
  await Promise.all([stored, next]);
  assert.deepEqual(taken, ["page", "turn"]);

  const kept = await turns.take();
  await assert.rejects(turns.take(AbortSignal.abort("gone")), (reason) => reason === "gone");
  kept();
  (await turns.take())();
});
