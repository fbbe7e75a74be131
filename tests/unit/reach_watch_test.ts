/** Whether a server is away: what statements tell that ended out of order. @module */
import assert from "node:assert/strict";
import { ReachWatch } from "../../lib/store/connection/reach_watch.ts";

const failure = { error: new Error("the connection has ended"), action: "write a page" };

function watched(): { readonly watch: ReachWatch; readonly said: readonly string[] } {
  const said: string[] = [];
  const watch = new ReachWatch((away) => {
    said.push(away === undefined ? "back" : away.wasThere ? "away" : "not there yet");
  });
  return { watch, said };
}

Deno.test("a server that goes and comes back is told of once each time", () => {
  const { watch, said } = watched();
  watch.look().end(failure);
  for (const end of [failure, undefined, undefined, failure, failure, undefined]) {
    watch.look().end(end);
  }
  assert.deepEqual(said, ["not there yet", "back", "away", "back"]);
  assert.equal(watch.isAway, false);
});

Deno.test("a statement that a dying server still answers does not say that it is back", () => {
  const { watch, said } = watched();
  const [answered, lost] = [watch.look(), watch.look()];
  lost.end(failure);
  answered.end(undefined);
  assert.deepEqual(said, ["not there yet"]);
  assert.equal(watch.isAway, true);
  watch.look().end(undefined);
  assert.deepEqual(said, ["not there yet", "back"]);
});

Deno.test("a statement that was lost with the old server does not say that the new one is away", () => {
  const { watch, said } = watched();
  watch.look().end(undefined);
  watch.look().end(failure);
  const lost = watch.look();
  watch.look().end(undefined);
  lost.end(failure);
  assert.deepEqual(said, ["away", "back"]);
  assert.equal(watch.isAway, false);
  watch.look().end(failure);
  assert.deepEqual(said, ["away", "back", "away"]);
});
