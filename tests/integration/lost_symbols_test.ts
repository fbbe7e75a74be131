/** Configured symbols that no exchange lists: what a daemon says of them. Two exchanges over HTTP, a real database. */
import assert from "node:assert/strict";
import { Poll } from "../../lib/fetch/poll.ts";
import { newestCandlesMax } from "../../lib/exchange/limits.ts";
import { readStatus } from "../../lib/serve/status.ts";
import { openTestArchive } from "../support/local_archive.ts";
import { startManyExchanges } from "../support/many_exchanges.ts";
import { TestClock } from "../support/test_clock.ts";
import { openAnyTest } from "../support/test_database.ts";

Deno.test("a daemon says once, with the nearest names, that a symbol is listed nowhere, and the status shows it", async () => {
  const { database, drop } = await openAnyTest();
  const clock = new TestClock();
  const { exchanges, settings } = await startManyExchanges({ exchanges: 2, symbols: 2, clock });
  try {
    const [, second] = exchanges;
    second?.local.symbols.delist("QBZ/USDT", { forget: true });
    const archive = await openTestArchive(database, {
      ...settings,
      SYMBOLS: "QAZ/USDT,QBZ/USDT,QAX/USDT",
      TIMEFRAMES: "1h",
      BACKFILL: "off",
    }, clock);
    const poll = new Poll(archive);
    const errors = (): readonly string[] =>
      archive.lines.filter((line) => line.includes("listed nowhere"));
    const lastErrors = async (): Promise<readonly (string | null)[]> => {
      const { config } = archive;
      const status = await readStatus({ config, database, nowMs: clock.now(), newestCandlesMax });
      return status.exchanges.map(({ lastError }) => lastError);
    };
    const down = second?.local.faults.add({ fault: { kind: "status", status: 400 } });
    await poll.runOnce();
    assert.deepEqual(errors(), [], "the other exchange may list it");
    down?.remove();
    for (let hour = 0; hour < 30; hour++) {
      await poll.runOnce();
      clock.pass(3_600_000);
    }
    const ids = exchanges.map(({ dialect }) => dialect.exchange).join(", ");
    const text = `QAX/USDT is not listed by ${ids}. The nearest names: QAZ/USDT. Correct SYMBOLS`;
    assert.equal(errors().length, 1, errors().join("\n"));
    assert.match(errors()[0] ?? "", /"level":"(ERROR|error)"/);
    assert.ok(errors()[0]?.includes(text), errors()[0]);
    assert.deepEqual(await lastErrors(), [text, text]);
  } finally {
    for (const { local } of exchanges) await local.close();
    await drop();
  }
});
