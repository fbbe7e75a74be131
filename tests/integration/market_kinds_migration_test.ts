/** An archive from before capabilities were kept by kind of market. */
import assert from "node:assert/strict";
import { readCapabilities } from "../../lib/store/capabilities.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { readExchangeStates, writeBan } from "../../lib/store/exchange_state.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

const UNTIL_MS = Date.UTC(2024, 5, 1, 12, 0, 0, 1);

for (const kind of DATABASE_KINDS) {
  Deno.test(`what was learned of several kinds of markets together is forgotten, on a database that is ${kind}`, async (t) => {
    const opened = await openTestDatabase(kind, { isUnmigrated: true });
    if (opened === undefined) {
      await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
      return;
    }
    const { database } = opened;
    const { sql } = database;
    try {
      const migrations = await readMigrations();
      await migrate(database, migrations.filter(({ version }) => version < 41));
      for (
        const [exchange, symbol] of [
          ["spot", "BTC/USDT"],
          ["mixed", "BTC/USDT"],
          ["mixed", "BTC/USDT:USDT"],
          ["contracts", "BTC/USD:BTC-241227"],
        ]
      ) {
        await sql`insert into checkpoints (exchange, symbol, timeframe)
                  values (${exchange!}, ${symbol!}, '1h')`;
      }
      for (const exchange of ["spot", "mixed", "contracts", "forgotten"]) {
        await sql`
          insert into capabilities (exchange, timeframe, page_rows, page_rows_source, rows_seen, since_honoured,
                                    newest_candles, omits_silent, settle_seconds, settle_needed_at, learned_at)
          values (${exchange}, '1h', 300, 'answers', 300, true, 5000, true, 200, now(), now())`;
      }
      await sql`insert into exchanges (exchange, banned_until, ban_reason)
                values ('mixed', to_timestamp(${UNTIL_MS}::float8 / 1000.0), '418')`;
      await migrate(database, migrations);

      const learned = (await readCapabilities(database)).map((
        { exchange, marketKind, pageRowsSource, rowsSeen, isSinceHonoured, ...row },
      ) => [
        ...[exchange, marketKind, pageRowsSource, rowsSeen, isSinceHonoured],
        ...[row.newestCandles, row.omitsSilent, row.settleSeconds],
      ]);
      assert.deepEqual(learned, [
        ["forgotten", "spot", "answers", 300, true, 5000, true, 200],
        ["mixed", "spot", "default", 0, undefined, undefined, undefined, 200],
        ["spot", "spot", "answers", 300, true, 5000, true, 200],
      ]);

      const bans = async (): Promise<unknown> =>
        (await readExchangeStates(database)).map(({ bans }) =>
          bans.map(({ host, untilMs, reason }) => [host, Math.round(untilMs - UNTIL_MS), reason])
        );
      assert.deepEqual(await bans(), [[[undefined, 0, "418"]]], "of a host that is not known");
      const ban = (host: string, laterMs: number): Promise<void> =>
        writeBan(database, { exchange: "mixed", egress: "here" }, {
          host,
          untilMs: UNTIL_MS + laterMs,
          reason: `${laterMs}`,
        });
      await ban("fapi.test", 9_000);
      await ban("fapi.test", 4_000);
      await ban("api.test", 2_000);
      assert.deepEqual(await bans(), [[["api.test", 2_000, "2000"], ["fapi.test", 9_000, "9000"]]]);
    } finally {
      await opened.drop();
    }
  });
}
