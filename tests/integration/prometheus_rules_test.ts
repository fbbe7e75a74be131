/** The Prometheus rules say what the daemon's own alerts say, from metrics that the daemon has. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ALERTS } from "../../lib/market/alert.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";
import { anchorsOf } from "../support/markdown.ts";
import { readStoredMetrics, unknownIn } from "../support/promql.ts";
import { promtool } from "../support/promtool.ts";

const ROOT = new URL("../../", import.meta.url);
const RULES = "deploy/prometheus/titan10.rules.yml";

const isPromtoolHere = await promtool("--version") !== undefined;
const lacking = isPromtoolHere ? "" : ", but it is not installed here";

for (
  const [what, ...args] of [
    ["the alerting rules", "check", "rules", "--lint-fatal", RULES],
    ["the configuration", "check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"],
    ["what the alerts say", "test", "rules", "tests/support/prometheus/titan10_test.yml"],
    [
      "what the daemon's alerts say",
      "test",
      "rules",
      "tests/support/prometheus/titan10_daemon_test.yml",
    ],
  ]
) {
  Deno.test({
    name: `promtool accepts ${what}${lacking}`,
    ignore: !isPromtoolHere,
    async fn(): Promise<void> {
      const output = await promtool(...args);
      assert(output !== undefined);
      assert(output.success, output.text);
    },
  });
}

Deno.test("there is a rule for each alert of the daemon, and a test for each rule", async () => {
  const text = await readRoot(RULES);
  const own = text.slice(
    text.indexOf("- name: titan10_alerts"),
    text.indexOf("- name: titan10_daemon"),
  );
  const rules = alertsIn(own).map((name) =>
    name.replace("Titan10", "").replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
  );
  assert.deepEqual(rules.toSorted(), ALERTS.toSorted());
  const tests = await Promise.all(
    ["titan10_test.yml", "titan10_daemon_test.yml"].map((name) =>
      readRoot(`tests/support/prometheus/${name}`)
    ),
  );
  for (const name of alertsIn(text)) {
    const block = new RegExp(`- alertname: ${name}\n.*\n\\s+exp_alerts:\n\\s+- exp_labels`);
    assert(tests.some((test) => block.test(test)), `no test sees ${name} fire`);
  }
});

Deno.test("docs/alerts.md has a section for each alert, and for no other", async () => {
  const rules = alertsIn(await readRoot(RULES));
  const titles = [...(await readRoot("docs/alerts.md")).matchAll(/^## (.+)$/gm)]
    .flatMap(([, title = ""]) => title.split(" and "));
  const ruleOf = (title: string): string =>
    title.startsWith("Titan10")
      ? title
      : `Titan10${title.replaceAll(/(?:^|_)([a-z])/g, (_, letter) => letter.toUpperCase())}`;
  assert.deepEqual(titles.map(ruleOf).toSorted(), rules.toSorted());
});

Deno.test("each alert links to its section of docs/alerts.md, in a release by its whole address", async () => {
  const text = await readRoot(RULES);
  const anchors = anchorsOf(await readRoot("docs/alerts.md"));
  const links = [
    ...text.matchAll(
      /- alert: (\w+)\n(?: {8}.*\n)+?(?: {10}.*\n)* {10}runbook: docs\/alerts\.md#(\S+)$/gm,
    ),
  ];
  assert.deepEqual(links.map(([, name]) => name), alertsIn(text));
  for (const [, name = "", anchor = ""] of links) {
    assert(anchors.includes(anchor), `${name}: docs/alerts.md has no heading ${anchor}`);
    assert(anchor.replaceAll("_", "").includes(name.replace("Titan10", "").toLowerCase()), name);
  }
  assert.equal(
    await releasedRules(),
    text.replaceAll(
      "runbook: docs/",
      "runbook_url: https://git.example/owner/name/blob/v1.2.3/docs/",
    ),
  );
});

Deno.test("the rules name metrics and labels that there are", async () => {
  const stored = await readStoredMetrics();
  const text = await readRoot(RULES);
  const expressions = [...text.matchAll(/\bexpr: (?:\|2\n((?: {10}.*\n)+)|(.+?)(?: \}$|$))/gm)]
    .map(([, block, line = ""]) => (block ?? line).trim());
  assert.equal(expressions.length, text.match(/\bexpr:/g)?.length);
  const problems = expressions.flatMap((expression) => unknownIn(expression, stored));
  assert.equal(problems.length, 0, problems.join("\n"));
});

Deno.test("the table of timeframes has their true lengths", async () => {
  const text = await readRoot(RULES);
  const rows = [...text.matchAll(/timeframe: (\w+) \}, expr: vector\((\d+)(?: \* (\d+))?\)/g)];
  assert.equal(rows.length, text.match(/record: titan10:timeframe_seconds/g)?.length);
  for (const [, timeframe = "", count, seconds = "1"] of rows) {
    const length = nominalMs(parseTimeframe(timeframe)) / 1000;
    assert.equal(Number(count) * Number(seconds), length, timeframe);
  }
});

/** The rules as the workflow of a release writes them, by its own lines. */
async function releasedRules(): Promise<string> {
  const workflow = await readRoot(".github/workflows/release.yml");
  const lines = /^ +docs=.*\n +sed .*titan10\.rules\.yml$/m.exec(workflow)?.[0];
  assert(lines !== undefined, "release.yml does not release the rules");
  const { success, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-euc", lines.replace("release/titan10.rules.yml", "/dev/stdout")],
    cwd: fileURLToPath(ROOT),
    env: {
      GITHUB_SERVER_URL: "https://git.example",
      GITHUB_REPOSITORY: "owner/name",
      GITHUB_REF_NAME: "v1.2.3",
    },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function alertsIn(text: string): readonly string[] {
  return [...text.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
}

function readRoot(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}
