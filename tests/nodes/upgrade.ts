/** A rolling upgrade as docs/operating.md has it: the executable is replaced everywhere, then node by node is started anew. @module */
import { systemClock } from "../../lib/clock.ts";
import type { Database } from "../../lib/store/connection/database.ts";
import { makeNewerProgram, start } from "../support/program.ts";
import { httpOf, inTurn, type Node, type NodesScene } from "./scene.ts";

/** What later versions do to a schema: more in tables that nodes write all the time, and functions that they call. */
const MIGRATIONS = {
  "0098_more_columns.sql": `
    alter table nodes add column more text;
    alter table leases add column more text;
    alter table egress_leases add column more int;
    alter table checkpoints add column more text;
    alter table exchange_egress add column more text;
    alter table node_exchanges add column more text;
    alter table alerts add column more text;
    create index leases_more on leases (symbol) where more is not null;`,
  "0099_more_answers.sql": `
    do $$
    declare
      known regprocedure;
      heartbeat text;
    begin
      select pg_get_functiondef(oid) into strict heartbeat from pg_proc
      where proname = 'titan10_heartbeat' and pronamespace = (select oid from pg_namespace where nspname = current_schema());
      if position('''slots'', (' in heartbeat) = 0 then
        raise exception 'this would change nothing: %', heartbeat;
      end if;
      for known in
        select oid from pg_proc
        where proname like 'titan10\\_%' and prokind = 'f'
          and pronamespace = (select oid from pg_namespace where nspname = current_schema())
      loop
        execute pg_get_functiondef(known);
      end loop;
      execute replace(heartbeat, '''slots'', (', '''more'', 1, ''slots'', (');
    end
    $$;`,
} as const;

/** On a busy machine. */
const READY_MS_MAX = 60_000;
const READY_EVERY_MS = 250;

/** What was answered so shortly before a stop may not be stored. */
const UNSTORED_MS = 6_000;

/** The address of who tries to run the version of before. */
const REFUSED = "127.0.0.7";

const REFUSAL = /Cannot use this database: it was migrated to 0099_more_answers\.sql by a newer/;

/** Upgrades the nodes of the schedule; the safe one is the last, or stays as it is. */
export async function upgradeAll(
  scene: NodesScene,
  { safe, isWhole, pauseMs }: {
    readonly safe: Node;
    readonly isWhole: boolean;
    readonly pauseMs: number;
  },
): Promise<void> {
  const nodes = scene.nodes.slice(0, scene.schedule.egresses.length);
  scene.installed = await makeNewerProgram(MIGRATIONS);
  for (const node of nodes.filter((one) => one !== safe)) {
    await inTurn([node], () => upgrade(scene, node));
    await systemClock.sleep(pauseMs);
  }
  // Nobody else is left alone: all others are to be at work.
  if (isWhole) await inTurn(nodes, () => upgrade(scene, safe));
  await tryOld(scene);
}

/** Has the version of before open a database that was upgraded: what the upgrade has changed does not matter to it. */
export async function forgetUpgrade({ sql }: Database): Promise<void> {
  await sql`delete from titan10_migrations where name in ${sql(Object.keys(MIGRATIONS))}`;
}

async function upgrade(scene: NodesScene, node: Node): Promise<void> {
  const { keeper, egress } = node;
  noteRefused(scene, node);
  const sinceMs = systemClock.now() - UNSTORED_MS;
  const code = await keeper.end("SIGTERM");
  scene.pardons.push({ visitor: egress, sinceMs, untilMs: systemClock.now() });
  if (code !== undefined && code !== 0 && code !== 143) {
    scene.crashes.push(`the node at ${egress} ended with ${code} when it was upgraded`);
  }
  keeper.start();
  await untilReady(scene, node);
}

/** SQLSTATE of statements that do not fit the schema, such as one that calls a function which is not there any more. */
const UNFIT = /\((?:42|0A)[0-9A-Z]{3}\)/;

/** Call before a node is ended: each statement of a program fits the schema, also one that a later version has made. */
export function noteRefused({ crashes }: NodesScene, { egress, keeper }: Node): void {
  const line = keeper.lines().find((one) => UNFIT.test(one));
  if (line !== undefined) crashes.push(`the node at ${egress} was refused a statement: ${line}`);
}

/** An operator waits for it before the next one. Where an address is banned there may be nothing to be ready for. */
async function untilReady({ crashes, banned }: NodesScene, node: Node): Promise<void> {
  const endMs = systemClock.now() + READY_MS_MAX;
  let answer = "";
  while (systemClock.now() < endMs) {
    answer = await fetch(`${httpOf(node)}/readyz`, { signal: AbortSignal.timeout(2_000) })
      .then(async (response) => response.ok ? "ready" : await response.text())
      .catch((error) => String(error));
    if (answer === "ready" || (banned.has(node.egress) && answer.startsWith("{"))) return;
    await systemClock.sleep(READY_EVERY_MS);
  }
  crashes.push(`the node at ${node.egress} was not ready after its upgrade: ${answer}`);
}

/** The version of before is refused by the schema, and says so. */
async function tryOld({ crashes, cwd, envOf, server }: NodesScene): Promise<void> {
  const running = start(["run"], { cwd, env: envOf(REFUSED, server.nodeUrl) });
  const killing = new AbortController();
  void systemClock.sleep(READY_MS_MAX, { signal: killing.signal })
    .then(() => running.kill("SIGKILL"), () => {});
  const { code } = await running.ended;
  killing.abort();
  const said = `${running.stdout()}${running.stderr()}`;
  if (code === 1 && REFUSAL.test(said)) return;
  crashes.push(`the older version is not refused as it should be, but ends with ${code}: ${said}`);
}
