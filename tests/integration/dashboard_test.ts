/** Grafana's dashboard asks for what there is: metrics, labels, tables, columns. @module */
import assert from "node:assert/strict";
import { parseTimeframe } from "../../lib/market/timeframe.ts";
import { ensureCandleTables } from "../../lib/store/candle_table.ts";
import { migrate, readMigrations } from "../../lib/store/connection/migrations.ts";
import { withoutMacros } from "../support/grafana.ts";
import { mentionedIn, readStoredMetrics, unknownIn } from "../support/promql.ts";
import { promtool } from "../support/promtool.ts";
import { DATABASE_KINDS, openTestDatabase } from "../support/test_database.ts";

interface Place {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

interface Source {
  readonly type: string;
  readonly uid: string;
}

interface Target {
  readonly refId: string;
  readonly datasource: Source;
  readonly expr?: string;
  readonly legendFormat?: string;
  readonly rawSql?: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: Source;
  readonly gridPos: Place;
  readonly targets?: readonly Target[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly definition: string }[];
  };
}

const read = (path: string): Promise<string> =>
  Deno.readTextFile(new URL(`../../deploy/grafana/${path}`, import.meta.url));

const DASHBOARD: Dashboard = JSON.parse(await read("dashboards/titan10.json"));
const PANELS = DASHBOARD.panels.filter(({ type }) => type !== "row");
const TARGETS = PANELS.flatMap(({ title, targets = [] }) =>
  targets.map((target) => ({ title, ...target }))
);
const EXPRESSIONS = TARGETS.flatMap(({ expr }) => expr ?? []);

const isPromtoolHere = await promtool("--version") !== undefined;

Deno.test("the dashboard's panels have titles, explanations and places of their own", () => {
  const ids = DASHBOARD.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length, "two panels have one id");
  const taken = new Map<string, string>();
  for (const { title, gridPos: { x, y, w, h } } of DASHBOARD.panels) {
    assert(x >= 0 && w > 0 && x + w <= 24, `${title} is wider than the dashboard`);
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const other = taken.get(`${column} ${line}`);
        assert.equal(other, undefined, `${title} lies upon ${other}`);
        taken.set(`${column} ${line}`, title);
      }
    }
  }
  for (const { title, type, description, targets } of PANELS) {
    assert.match(type, /^(stat|timeseries|table)$/, title);
    assert(description?.endsWith("."), `${title} is not explained in a sentence`);
    assert(targets !== undefined && targets.length > 0, `${title} asks for nothing`);
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
  }
});

Deno.test("the dashboard asks the sources that are provisioned, with variables that it has", async () => {
  const provisioned = await read("provisioning/datasources/titan10.yml");
  const sources = new Map(
    [...provisioned.matchAll(/uid: (\S+)\n +type: (\S+)/g)].map((
      [, uid = "", type],
    ) => [uid, type]),
  );
  assert.equal(sources.size, 2);
  const variables = DASHBOARD.templating.list.map(({ name }) => name);
  for (const { title, datasource: { uid, type }, expr, rawSql } of TARGETS) {
    assert.equal(sources.get(uid), type, title);
    assert.equal(expr === undefined, type !== "prometheus", title);
    for (const [, name = ""] of `${expr} ${rawSql}`.matchAll(/\$\{?([a-z]\w*)/g)) {
      assert(variables.includes(name), `${title} uses $${name}, which is no variable`);
    }
  }
});

Deno.test("the dashboard's expressions name metrics and labels that there are", async () => {
  const stored = await readStoredMetrics();
  const problems = EXPRESSIONS.flatMap((expression) => unknownIn(expression, stored));
  for (const { expr = "", legendFormat = "" } of TARGETS) {
    const known = mentionedIn(expr).metrics.flatMap(({ name }) => stored.get(name) ?? []);
    for (const [, label = ""] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      if (![...known, "instance"].includes(label)) problems.push(`no label ${label}: ${expr}`);
    }
  }
  for (const { definition } of DASHBOARD.templating.list) {
    const [, name = "", label = ""] = /^label_values\((\w+), (\w+)\)$/.exec(definition) ?? [];
    if (stored.get(name)?.includes(label) !== true) problems.push(definition);
  }
  assert.equal(problems.length, 0, problems.join("\n"));
});

Deno.test({
  name: `promtool accepts the dashboard's expressions${
    isPromtoolHere ? "" : ", but it is not installed here"
  }`,
  ignore: !isPromtoolHere,
  async fn(): Promise<void> {
    const path = await Deno.makeTempFile({ suffix: ".yml" });
    try {
      const rules = EXPRESSIONS.map((expression, at) => ({
        record: `dashboard:${at}`,
        expr: expression.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, ".+"),
      }));
      // JSON is YAML.
      await Deno.writeTextFile(path, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
      const output = await promtool("check", "rules", path);
      assert(output?.success, output?.text);
      assert(output.text.includes(`${EXPRESSIONS.length} rules found`), output.text);
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("the dashboard's SQL is queries that an archive answers", async (t) => {
  const opened = await openTestDatabase(DATABASE_KINDS[0]!);
  assert(opened);
  const { database: { sql }, drop } = opened;
  try {
    await migrate(opened.database, await readMigrations());
    await ensureCandleTables(opened.database, ["1m", "1d"].map(parseTimeframe));
    for (const { title, rawSql } of TARGETS.filter(({ rawSql }) => rawSql !== undefined)) {
      await t.step(title, async () => {
        assert.match(rawSql ?? "", /^select\b[^;]*$/);
        await assert.doesNotReject(sql.unsafe(withoutMacros(rawSql ?? "")), rawSql);
      });
    }
  } finally {
    await drop();
  }
});
