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
  watch.begin().end(failure);
  for (const end of [failure, undefined, undefined, failure, failure, undefined]) {
    watch.begin().end(end);
  }
  assert.deepEqual(said, ["not there yet", "back", "away", "back"]);
  assert.equal(watch.isAway, false);
});

Deno.test("a statement that a dying server still answers does not say that it is back", () => {
  const { watch, said } = watched();
  const [answered, lost] = [watch.begin(), watch.begin()];
  lost.end(failure);
  answered.end(undefined);
  assert.deepEqual(said, ["not there yet"]);
  assert.equal(watch.isAway, true);
  watch.begin().end(undefined);
  assert.deepEqual(said, ["not there yet", "back"]);
});

Deno.test("a statement that was lost with the old server does not say that the new one is away", () => {
  const { watch, said } = watched();
  watch.begin().end(undefined);
  watch.begin().end(failure);
  const lost = watch.begin();
  watch.begin().end(undefined);
  lost.end(failure);
  assert.deepEqual(said, ["away", "back"]);
  assert.equal(watch.isAway, false);
  watch.begin().end(failure);
  assert.deepEqual(said, ["away", "back", "away"]);
});
