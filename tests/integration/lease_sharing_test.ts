/** How leases are shared among nodes that come, go, die and come back: by the database, whatever the nodes believe. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { expireCandles } from "../../lib/store/expiry.ts";
import { LeaseNode, type NodeOptions } from "../support/lease_nodes.ts";
import { fc } from "../support/property.ts";
import { started } from "../support/started.ts";
import { openTestDatabase } from "../support/test_database.ts";
import { until } from "../support/until.ts";

/** One of so many runs is made, since each makes some hundred calls. */
const RUNS_ONE_OF = 5;

async function withServer(
  t: Deno.TestContext,
  use: (database: Database) => Promise<void>,
): Promise<void> {
  const test = await openTestDatabase("postgres");
  if (test === undefined) {
    await t.step({ name: "needs PostgreSQL", ignore: true, fn: () => {} });
    return;
  }
  try {
    await migrate(test.database, await readMigrations());
    await use(test.database);
  } finally {
    await test.drop();
  }
}

async function empty({ sql }: Database): Promise<void> {
  await sql`truncate nodes, node_symbols, egress_leases, leases, exchange_egress`;
}

interface LeaseRow {
  readonly exchange: string;
  readonly symbol: string;
  readonly holder: string | null;
  readonly next: string | null;
  readonly epoch: number;
}

async function readLeases({ sql }: Database): Promise<readonly LeaseRow[]> {
  return await sql<LeaseRow[]>`
    select exchange, symbol, holder::text, next::text, epoch::int from leases
    union all select exchange, '@' || egress, holder::text, next::text, epoch::int from egress_leases
    order by 1, 2`;
}

/** By holder, how many of what is held. */
function counts(rows: readonly LeaseRow[], exchange: string): Map<string | null, number> {
  const counts = new Map<string | null, number>();
  for (const row of rows) {
    if (row.exchange !== exchange || row.symbol.startsWith("@")) continue;
    counts.set(row.holder, (counts.get(row.holder) ?? 0) + 1);
  }
  return counts;
}

async function settleAll(nodes: readonly LeaseNode[]): Promise<void> {
  // What one releases another one gets, and may even out once more.
  for (let turn = 0; turn < 4; turn++) {
    for (const node of nodes) await node.settle();
  }
}

const exchangesArbitrary = fc.record({
  exchanges: fc.integer({ min: 0, max: 20 }),
  symbols: fc.integer({ min: 0, max: 40 }),
});

type Op =
  | { readonly op: "join"; readonly egress: number; readonly kind: "daemon" | "backfill" }
  | { readonly op: "end" | "expire" | "beat" | "settle"; readonly which: number }
  | { readonly op: "narrow"; readonly which: number; readonly keep: number }
  | {
    readonly op: "ban";
    readonly exchange: number;
    readonly egress: number;
    readonly seconds: number;
  };

const whichArbitrary = fc.nat({ max: 4 });
const opArbitrary: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    op: fc.constant("join" as const),
    egress: fc.nat({ max: 2 }),
    kind: fc.constantFrom(
      "daemon" as const,
      "daemon" as const,
      "daemon" as const,
      "backfill" as const,
    ),
  }),
  fc.record({ op: fc.constantFrom("end" as const, "expire" as const), which: whichArbitrary }),
  fc.record({ op: fc.constantFrom("beat" as const, "settle" as const), which: whichArbitrary }),
  fc.record({
    op: fc.constant("narrow" as const),
    which: whichArbitrary,
    keep: fc.nat({ max: 40 }),
  }),
  fc.record({
    op: fc.constant("ban" as const),
    exchange: fc.nat({ max: 19 }),
    egress: fc.nat({ max: 2 }),
    seconds: fc.constantFrom(-1, 600),
  }),
);

function wantedOf(exchanges: number, symbols: number): Record<string, readonly string[]> {
  const names = Array.from({ length: symbols }, (_, at) => `S${String(at).padStart(2, "0")}/USDT`);
  return Object.fromEntries(Array.from({ length: exchanges }, (_, at) => [`x${at}`, names]));
}

async function perform(
  database: Database,
  nodes: LeaseNode[],
  { op, wanted }: { readonly op: Op; readonly wanted: Readonly<Record<string, readonly string[]>> },
): Promise<void> {
  if (op.op === "join") {
    if (nodes.length === 5) return;
    nodes.push(new LeaseNode(database, { egress: `e${op.egress}`, kind: op.kind, wanted }));
    await nodes.at(-1)!.beat();
    return;
  }
  if (op.op === "ban") {
    await database.sql`
      insert into exchange_egress (exchange, egress, banned_until)
      values (${`x${op.exchange}`}, ${`e${op.egress}`}, clock_timestamp() + ${op.seconds} * interval '1 s')
      on conflict (exchange, egress) do update set banned_until = excluded.banned_until`;
    return;
  }
  const node = nodes[op.which];
  if (node === undefined) return;
  if (op.op === "beat") await node.beat();
  else if (op.op === "settle") await node.settle();
  else if (op.op === "narrow") {
    const kept = Object.entries(wanted).map(([exchange, all]) => [exchange, all.slice(0, op.keep)]);
    node.options = { ...node.options, wanted: Object.fromEntries(kept) };
    await node.beat();
  } else {
    await (op.op === "end" ? node.end() : node.expire());
    // A process that ended comes back as another one; one that was away may come back as itself.
    if (op.op === "end") nodes.splice(op.which, 1);
  }
}

/** Of two looks at the leases, no lease has two holders of one epoch. */
function assertOneHolder(seen: Map<string, string>, rows: readonly LeaseRow[]): void {
  for (const { exchange, symbol, epoch, holder } of rows) {
    if (holder === null) continue;
    const key = `${exchange} ${symbol} ${epoch}`;
    assert.equal(seen.get(key) ?? holder, holder, `two holders of ${key}`);
    seen.set(key, holder);
  }
}

function assertShared(
  rows: readonly LeaseRow[],
  nodes: readonly LeaseNode[],
  banned: ReadonlySet<string>,
): void {
  const optionsOf = new Map<string | null, NodeOptions>(
    nodes.map(({ id, options }) => [id, options]),
  );
  const exchanges = new Set(nodes.flatMap(({ options }) => Object.keys(options.wanted)));
  const slots = rows.filter(({ symbol }) => symbol.startsWith("@"));
  for (const { holder, next } of rows) {
    assert.equal(next !== null && optionsOf.has(holder), false, "nothing is left to hand over");
  }
  for (const exchange of exchanges) {
    const holders: string[] = [];
    for (const egress of new Set(nodes.map(({ options }) => options.egress))) {
      const seekers = nodes.filter(({ options }) => options.egress === egress);
      const daemons = seekers.filter(({ options }) => options.kind !== "backfill");
      const slot = slots.find((one) => one.exchange === exchange && one.symbol === `@${egress}`);
      const able = daemons.length > 0 ? daemons : seekers;
      assert.ok(
        able.some(({ id }) => id === slot?.holder),
        `a live node has ${exchange} by ${egress}`,
      );
      holders.push(slot!.holder!);
    }
    const open = holders.filter((id) => !banned.has(`${exchange} ${optionsOf.get(id)!.egress}`));
    const able = open.length > 0 ? open : holders;
    const wants = (id: string, symbol: string): boolean =>
      optionsOf.get(id)!.wanted[exchange]!.includes(symbol);
    const symbols = new Set(able.flatMap((id) => optionsOf.get(id)!.wanted[exchange]!));
    for (const symbol of symbols) {
      const row = rows.find((one) => one.exchange === exchange && one.symbol === symbol);
      assert.ok(
        able.some((id) => id === row?.holder),
        `${exchange} ${symbol} has a holder`,
      );
      assert.ok(wants(row!.holder!, symbol), `the holder of ${exchange} ${symbol} wants it`);
    }
    const isAlike = able.every((id) => [...symbols].every((symbol) => wants(id, symbol)));
    if (isAlike) assertEven(able.map((id) => counts(rows, exchange).get(id) ?? 0), exchange);
  }
  for (const egress of new Set(nodes.map(({ options }) => options.egress))) {
    const daemons = nodes.filter(({ options }) =>
      options.egress === egress && options.kind !== "backfill"
    );
    const taken = daemons.map(({ id }) =>
      slots.filter((slot) => slot.symbol === `@${egress}` && slot.holder === id).length
    );
    if (daemons.length > 0) assertEven(taken, `the exchanges of ${egress}`);
  }
}

function assertEven(counts: readonly number[], what: string): void {
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, `${what}: ${counts.join(", ")}`);
}

Deno.test("whatever nodes come, go and die, each symbol gets one live holder, evenly, and stays with it", (t) =>
  withServer(t, async (database) => {
    await fc.assert(
      fc.asyncProperty(
        exchangesArbitrary,
        fc.array(fc.nat({ max: 2 }), { maxLength: 4 }),
        fc.array(opArbitrary, { minLength: 1, maxLength: 14 }),
        async ({ exchanges, symbols }, egresses, ops) => {
          await empty(database);
          const wanted = wantedOf(exchanges, symbols);
          const nodes: LeaseNode[] = [];
          const seen = new Map<string, string>();
          const first = egresses.map((egress) => ({ op: "join", egress, kind: "daemon" } as const));
          for (const op of [...first, ...ops]) {
            await perform(database, nodes, { op, wanted });
            assertOneHolder(seen, await readLeases(database));
          }
          await settleAll(nodes);
          const rows = await readLeases(database);
          assertOneHolder(seen, rows);
          const banned = await database.sql<{ name: string }[]>`
            select exchange || ' ' || egress as name from exchange_egress
            where banned_until > clock_timestamp() + interval '2 minutes'`;
          assertShared(rows, nodes, new Set(banned.map(({ name }) => name)));
          // Each shares all of it anew, though nothing has changed.
          await database.sql`update nodes set shared = null`;
          for (const node of nodes) await node.beat();
          assert.deepEqual(await readLeases(database), rows, "a second round moves nothing");
        },
      ),
      { numRuns: Math.ceil((fc.readConfigureGlobal()?.numRuns ?? 200) / RUNS_ONE_OF) },
    );
  }));

Deno.test("symbols are even after each node that comes, goes or wants others", (t) =>
  withServer(t, async (database) => {
    const [{ x0: all = [] }, { x0: few = [] }] = [wantedOf(1, 10), wantedOf(1, 4)];
    const nodes: LeaseNode[] = [];
    const shares = async (): Promise<readonly number[]> => {
      await settleAll(nodes);
      const held = counts(await readLeases(database), "x0");
      return nodes.map(({ id }) => held.get(id) ?? 0).sort();
    };
    for (const [at, even] of [[10], [5, 5], [3, 3, 4]].entries()) {
      nodes.push(new LeaseNode(database, { egress: `e${at}`, wanted: { x0: all } }));
      assert.deepEqual(await shares(), even);
    }
    for (const node of nodes) node.options = { ...node.options, wanted: { x0: few } };
    assert.deepEqual(await shares(), [1, 1, 2]);
    await nodes.pop()!.end();
    assert.deepEqual(await shares(), [2, 2]);
    nodes[0]!.options = { ...nodes[0]!.options, wanted: { x0: [...few, "ONLY/USDT"] } };
    const held = await nodes[0]!.beat();
    assert.ok(held?.leases.some(({ symbols }) => symbols.includes("ONLY/USDT")), "at once");
  }));

Deno.test("nodes that call at the same time wait for each other, and no lease has two holders of one epoch", (t) =>
  withServer(t, async (database) => {
    await empty(database);
    const wanted = wantedOf(8, 12);
    const nodes = Array.from(
      { length: 5 },
      (_, at) => new LeaseNode(database, { egress: `e${at % 3}`, wanted }),
    );
    const seen = new Map<string, string>();
    await Promise.all(nodes.map(async (node, at) => {
      let holdings = await node.beat();
      for (let turn = 1; turn < 50; turn++) {
        if (turn % 17 === at) await node.expire();
        holdings = await node.beat(holdings);
        assertOneHolder(seen, await readLeases(database));
      }
    }));
    await settleAll(nodes);
    assertShared(await readLeases(database), nodes, new Set());
  }));

Deno.test("the lead stays where it is, and goes to a node of the settings that most have", (t) =>
  withServer(t, async (database) => {
    const leads = async (): Promise<number> => {
      const [row] = await database.sql<{ holder: string }[]>`
        select holder::text from leases where exchange = '' and symbol = ''`;
      return nodes.findIndex(({ id }) => id === row?.holder);
    };
    const node = (settingsHash: string, kind: "daemon" | "backfill" = "daemon"): LeaseNode =>
      new LeaseNode(database, { egress: crypto.randomUUID(), settingsHash, kind, wanted: {} });
    const nodes = [node("a", "backfill"), node("a"), node("b"), node("b"), node("a"), node("a")];
    await nodes[0]!.settle();
    assert.equal(await leads(), -1, "a backfill never leads");
    for (const at of [1, 2]) await nodes[at]!.settle();
    assert.equal(await leads(), 1, "of two settings those count that were there first");
    await nodes[3]!.settle();
    const held = await nodes[1]!.beat();
    assert.deepEqual(held!.leases.map(({ exchange, leaving }) => [exchange, leaving]), [["", [
      "",
    ]]]);
    assert.equal(await leads(), 1, "until the work of the lead has ended");
    await nodes[1]!.beat(held);
    assert.equal(await leads(), 2);
    await nodes[2]!.end();
    assert.equal(await leads(), 1, "of as many again, those that were there first");
    for (const at of [4, 5]) await nodes[at]!.settle();
    assert.equal(await leads(), 1);
    await nodes[1]!.expire();
    await nodes[5]!.beat();
    assert.equal(await leads(), 4);
  }));

Deno.test("old candles that take long to drop keep no node waiting when their leader has died", (t) =>
  withServer(t, async (database) => {
    const timeframe = parseTimeframe("1m");
    await ensureCandleTables(database, [timeframe]);
    const [leader, other] = ["e", "f"].map((egress) =>
      new LeaseNode(database, { egress, wanted: wantedOf(1, 2) })
    ) as [LeaseNode, LeaseNode];
    await leader.settle();
    const busy = await database.sql.reserve();
    try {
      await busy`begin`;
      await busy`lock table ohlcv_1m in row exclusive mode`;
      const dropping = started(
        expireCandles(database, timeframe, { untilMs: 0, node: leader.id }),
      );
      const waits = async (): Promise<number> => {
        const [row] = await database.sql<{ count: number }[]>`
          select count(*)::int from pg_locks where not granted
            and database = (select oid from pg_database where datname = current_database())`;
        return row!.count;
      };
      await until("the wait for the table", async () => await waits() > 0);
      await leader.expire();
      let held: Awaited<ReturnType<LeaseNode["beat"]>>;
      const beating = started(other.beat().then((holdings) => held = holdings));
      await until("an answer, or another wait", async () => {
        return held !== undefined || await waits() > 1;
      });
      const leads = held?.leases.some(({ exchange }) => exchange === "");
      await busy`rollback`;
      await Promise.all([beating, dropping]);
      assert.ok(leads, "it leads while the table is waited for");
    } finally {
      busy.release();
    }
  }));

Deno.test("who listens where another node did has taken its place at once, and the other one learns it", (t) =>
  withServer(t, async (database) => {
    const wanted = wantedOf(2, 3);
    const options = { egress: "e", place: "host 127.0.0.1:9464", wanted };
    const before = new LeaseNode(database, options);
    const after = new LeaseNode(database, options);
    const elsewhere = new LeaseNode(database, { ...options, place: "host 127.0.0.1:9465" });
    await before.settle();
    const held = await after.beat();
    assert.equal(held?.leases.flatMap(({ symbols }) => symbols).length, 2 * 3 + 1);
    assert.deepEqual(held?.leases.map(({ epochs }) => epochs[0]), [2, 2, 2]);
    assert.equal(await before.beat(), undefined);
    await elsewhere.beat();
    assert.notEqual(await after.beat(), undefined);
  }));

Deno.test("a call that comes after a later one changes nothing of what the node wants", (t) =>
  withServer(t, async (database) => {
    const node = new LeaseNode(database, { egress: "e", wanted: wantedOf(1, 4) });
    await node.beat();
    const id = `'${node.id}'::uuid`;
    const wanted = JSON.stringify({ x0: { egress: "e", symbols: ["S00/USDT"] } });
    await database.sql.unsafe(`select titan10_heartbeat(${id}, 1, 60, null, '${wanted}', null)`);
    const held = await node.beat();
    assert.equal(held?.leases.find(({ exchange }) => exchange === "x0")?.symbols.length, 4);
  }));

Deno.test("a lease that ended and that nobody took is held on by who comes back, with its epoch", (t) =>
  withServer(t, async (database) => {
    const node = new LeaseNode(database, { egress: "e", wanted: wantedOf(1, 4) });
    const before = await node.settle();
    await node.expire();
    const { slots, leases } = await node.beat() ?? {};
    assert.deepEqual([slots, leases], [before.slots, before.leases]);
  }));
