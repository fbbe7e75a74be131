/** The documents' commands as they are written there: README's first from a fresh copy to a chart in a browser, then all others. @module */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Status } from "../../lib/serve/status.ts";
import { findChromium, startChromium } from "../support/chromium.ts";
import { DOCUMENTS } from "../support/documents.ts";
import { withInitExchanges } from "../support/init_exchanges.ts";
import { commandLine, startLine, withDirectory } from "../support/program.ts";
import { until } from "../support/until.ts";

const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** What the program consists of; packages are there already, as after any first command. */
const COPIED = ["deno.json", "deno.lock", "main.ts", "lib", "sql"];

/** What a newcomer types, top to bottom: what follows is typed by people who have an archive. */
const LINES = [
  ...(await Deno.readTextFile(`${PROJECT}README.md`)).matchAll(
    /^\$ (npx --yes deno.*?)(?: +#.*)?$/gm,
  ),
].map(([, line = ""]) => line);

/** What people type who have an archive, in all documents; what changes the archive before what reads it. */
const LATER_LINES = [
  ...new Set(
    [...DOCUMENTS.values()].flatMap((text) =>
      [...text.replaceAll(/ \\\n\s*/g, " ").matchAll(/^\$ (titan10 .*?)(?: +#.*)?$/gm)]
        .map(([, line = ""]) => line)
    ),
  ),
].sort((a, b) => Number(b === "titan10 reload") - Number(a === "titan10 reload"));

interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A new archive has made its database, loaded markets and fetched its first page by then, on a machine at its limit. */
const FIRST_CANDLES_MS = 120_000;

const CHROMIUM = await findChromium();

Deno.test({
  name: `README's first commands, as written, lead to a chart, and all others of the documents run${
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
        for (const line of steps) await t.step(line, () => runLine(line, { cwd, env }));
        await t.step(daemon, (t) =>
          untilPage({ line: daemon, cwd, env }, async (url) => {
            await openChart(url);
            await runLater(t, url, { cwd, env });
          }));
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

async function runLine(line: string, place: Place): Promise<void> {
  const { ended, stdout, stderr } = startLine(line, place);
  assert.equal((await ended).code, 0, `${line}\n${stdout()}\n${stderr()}`);
}

/** Runs the other lines beside the daemon, with the timeframes that they name archived. */
async function runLater(t: Deno.TestContext, url: string, { cwd, env }: Place): Promise<void> {
  const file = `${cwd}/titan10.yaml`;
  const settings = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, settings.replace("[1m, 1d]", "[1m, 1h, 1d]"));
  const bin = `${cwd}/bin`;
  await Deno.mkdir(bin);
  const words = commandLine().map((word) => `'${word}'`).join(" ");
  await Deno.writeTextFile(`${bin}/titan10`, `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 });
  const place = { cwd, env: { ...env, PATH: `${bin}:${Deno.env.get("PATH")}` } };
  const [reload = "", ...lines] = LATER_LINES;
  assert(reload === "titan10 reload" && lines.length >= 9, LATER_LINES.join("\n"));
  await t.step(reload, () => runLine(reload, place));
  const hasHours = ({ series }: Status): boolean =>
    series.some(({ exchange, timeframe, candles }) =>
      exchange === "binance" && timeframe === "1h" && candles > 0
    );
  const status = async (): Promise<Status> => await (await fetch(`${url}/status`)).json();
  await until("hours of binance", async () => hasHours(await status()), { instead: status });
  for (const line of lines) {
    await t.step(line, () => (isImport(line) ? tryImport : runLine)(line, place));
  }
}

function isImport(line: string): boolean {
  return line.startsWith("titan10 import ");
}

/** The files are the reader's own: all but these is right. */
async function tryImport(line: string, place: Place): Promise<void> {
  const { ended, stdout, stderr } = startLine(line, place);
  const { code } = await ended;
  const said = `${line}\n${stdout()}\n${stderr()}`;
  assert.equal(code, 1, said);
  assert.match(said, /No such file|no file matches/);
}

/** Runs a line until its page is there and used, then ends it as Ctrl-C does. */
async function untilPage(
  { line, ...place }: Place & { readonly line: string },
  use: (url: string) => Promise<void>,
): Promise<void> {
  const started = startLine(line, place);
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
