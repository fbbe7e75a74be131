/** The Prometheus rules say what the daemon's own alerts say, from metrics that the daemon has. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ALERTS } from "../../lib/market/alert.ts";
import { nominalMs, parseTimeframe } from "../../lib/market/timeframe.ts";

const ROOT = new URL("../../", import.meta.url);
const RULES = "deploy/prometheus/titan10.rules.yml";

const isPromtoolHere = await promtool("--version") !== undefined;
const lacking = isPromtoolHere ? "" : ", but it is not installed here";

for (
  const args of [
    ["check", "rules", "--lint-fatal", RULES],
    ["test", "rules", "tests/support/prometheus/titan10_test.yml"],
  ]
) {
  Deno.test({
    name: `promtool ${args[0]} rules accepts the alerting rules${lacking}`,
    ignore: !isPromtoolHere,
    async fn(): Promise<void> {
      const output = await promtool(...args);
      assert(output !== undefined);
      assert(output.success, output.text);
    },
  });
}

Deno.test("there is a rule for each alert, and its metrics are those of the golden file", async () => {
  const text = await readRoot(RULES);
  const rules = [...text.matchAll(/- alert: Titan10(\w+)/g)].map(([, name = ""]) =>
    name.replaceAll(/(?<!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
  );
  assert.deepEqual(rules.toSorted(), ALERTS.toSorted());
  const golden = await readRoot("tests/integration/golden/metrics.txt");
  const names = new Set([...text.matchAll(/\btitan10_\w+(?=\{| |$)/gm)].map(([name]) => name));
  const groups = new Set([...text.matchAll(/- name: (\w+)/g)].map(([, name]) => name));
  const metrics = [...names].filter((name) => !groups.has(name));
  assert(metrics.length >= ALERTS.length, metrics.join());
  for (const name of metrics) assert(golden.includes(`# TYPE ${name} `), name);
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

/** What promtool makes of this, run at the root of the project; undefined where it is not installed. */
async function promtool(
  ...args: readonly string[]
): Promise<{ readonly success: boolean; readonly text: string } | undefined> {
  try {
    const command = new Deno.Command("promtool", { args: [...args], cwd: fileURLToPath(ROOT) });
    const { success, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    return { success, text: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function readRoot(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}
