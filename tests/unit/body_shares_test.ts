import assert from "node:assert/strict";
import { BodyShares } from "../../lib/exchange/body_shares.ts";

/** Notes the order in which shares are given. */
function taker(shares: BodyShares): {
  readonly given: string[];
  readonly take: (name: string, bytes: number, signal?: AbortSignal) => Promise<() => void>;
} {
  const given: string[] = [];
  const take = async (
    name: string,
    bytes: number,
    signal?: AbortSignal,
  ): Promise<() => void> => {
    const giveBack = await shares.take(bytes, signal);
    given.push(name);
    return giveBack;
  };
  return { given, take };
}

/** All that waits for nothing else has run. */
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

Deno.test("shares are given in the order in which they were asked for, and a small one does not overtake", async () => {
  const { given, take } = taker(new BodyShares(10));
  const first = await take("first", 8);
  const rest = [take("large", 10), take("small", 1)];
  await settled();
  assert.deepEqual(given, ["first"]);
  first();
  const large = await rest[0]!;
  await settled();
  assert.deepEqual(given, ["first", "large"]);
  large();
  large();
  await rest[1];
  // Given back once, whatever the number of calls.
  await Promise.all([take("nine", 9)]);
  const late = take("too much", 1);
  await settled();
  assert.deepEqual(given, ["first", "large", "small", "nine"]);
  void late;
});

Deno.test("one who gives up waiting lets those behind in", async () => {
  const { given, take } = taker(new BodyShares(10));
  await take("first", 5);
  const end = new AbortController();
  const large = take("large", 10, end.signal);
  const small = take("small", 5);
  await settled();
  assert.deepEqual(given, ["first"]);
  end.abort(new Error("deadline"));
  await assert.rejects(large, /deadline/);
  await small;
  assert.deepEqual(given, ["first", "small"]);
});
