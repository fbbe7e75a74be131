/** README's commands as they are written there, from a fresh copy to a chart in a browser. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { findChromium, startChromium } from "../support/chromium.ts";
import { withInitExchanges } from "../support/init_exchanges.ts";
import { startLine, withDirectory } from "../support/program.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** What the program consists of; packages are there already, as after any first command. */
const COPIED = ["deno.json", "deno.lock", "main.ts", "lib", "sql"];

/** What a newcomer types, top to bottom: what follows is typed by people who have an archive. */
const LINES = [
  ...(await Deno.readTextFile(`${PROJECT}README.md`)).matchAll(
    /^\$ (npx --yes deno.*?)(?: +#.*)?$/gm,
  ),
].map(([, line = ""]) => line);

/** A new archive has made its database, loaded markets and fetched its first page by then, on a machine at its limit. */
const FIRST_CANDLES_MS = 120_000;

const CHROMIUM = await findChromium();

Deno.test({
  name: `README's first commands, as written, lead to a chart${
    CHROMIUM === undefined ? " (skipped: no Chromium on PATH, CHROMIUM names none)" : ""
  }`,
  ignore: CHROMIUM === undefined,
  async fn(t): Promise<void> {
    const [demo = "", ...others] = LINES;
    const last = others.findIndex((line) => line.endsWith(" run"));
    const [steps, daemon = ""] = [others.slice(0, last), others[last]];
    assert.match(demo, / demo$/);
    // The demo, these, and the daemon.
    assert(last >= 0 && last + 2 <= 5, LINES.join("\n"));
    await withInitExchanges((env) =>
      withDirectory(async (cwd) => {
        await copyProject(cwd);
        await t.step(demo, () => untilPage({ line: demo, cwd, env }, () => Promise.resolve()));
        for (const line of steps) {
          await t.step(line, async () => {
            const { ended, stdout, stderr } = startLine(line, { cwd, env });
            assert.equal((await ended).code, 0, `${stdout()}\n${stderr()}`);
          });
        }
        await t.step(daemon, () => untilPage({ line: daemon, cwd, env }, openChart));
      })
    );
  },
});

async function copyProject(to: string): Promise<void> {
  const copy = new Deno.Command("cp", {
    args: ["-r", ...COPIED.map((name) => `${PROJECT}${name}`), to],
  });
  assert((await copy.output()).success);
  await Deno.symlink(`${PROJECT}node_modules`, `${to}/node_modules`);
}

/** Runs a line until its page is there and used, then ends it as Ctrl-C does. */
async function untilPage(
  { line, cwd, env }: { line: string; cwd: string; env: Readonly<Record<string, string>> },
  use: (url: string) => Promise<void>,
): Promise<void> {
  const started = startLine(line, { cwd, env });
  try {
    const [, url = ""] = await started.waitFor(/(http:\/\/127\.0\.0\.1:\d+)/);
    assert.equal(
      await fetch(`${url}/healthz`).then(async (answer) => {
        await answer.body?.cancel();
        return answer.status;
      }),
      200,
    );
    await use(url);
  } finally {
    started.kill("SIGINT");
    await started.ended;
  }
}

/** The first series' chart, as a person opens it. */
async function openChart(url: string): Promise<void> {
  const browser = await startChromium(CHROMIUM ?? "");
  try {
    const tab = await browser.open(url);
    const row = `document.querySelector("#series-rows tr")`;
    await tab.until(`/[1-9]/.test(${row}?.querySelector("td[data-name=Candles]")?.textContent)`, {
      patienceMs: FIRST_CANDLES_MS,
    });
    await tab.evaluate(`${row}.querySelector("button.open").click()`);
    await tab.until(`/O \\d.* C \\d/.test(document.querySelector("#chart-reading").textContent)`);
    assert.deepEqual(tab.errors, []);
  } finally {
    await browser.close();
  }
}
