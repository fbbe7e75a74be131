/** Remakes the screenshots in `.docs`: the page in light, in dark and on a phone, and a chart. @module */
import { findChromium, startChromium, type Tab, type TabOptions } from "../support/chromium.ts";
import { serveRichArchive } from "../support/rich_archive.ts";

const SHOTS: readonly (TabOptions & { readonly name: string; readonly opens?: string })[] = [
  { name: "page-light", height: 1360 },
  { name: "page-dark", height: 1360, isDark: true },
  { name: "page-phone", width: 390, height: 1960, isPhone: true },
  { name: "chart", height: 860, isDark: true, opens: "binance BTC/USDT 1m" },
];

const path = await findChromium();
if (path === undefined) throw new Error("There is no Chromium: set CHROMIUM to the path of one");
const folder = Deno.args[0] ?? new URL("../../.docs", import.meta.url).pathname;
const archive = await serveRichArchive({
  exchanges: ["binance", "bybit", "coinbase", "kraken", "okx"],
  symbols: ["BTC", "ENA", "ETH", "HYPE", "MATIC", "PUMP", "SOL"].map((base) => `${base}/USDT`),
  databaseKind: "embedded",
});
if (archive === undefined) throw new Error("There is no database");
const browser = await startChromium(path);
try {
  for (const { name, opens, ...options } of SHOTS) {
    const tab = await browser.open(archive.server.url, options);
    await tab.until(`document.querySelectorAll("#series-rows tr").length > 0`);
    // So that one symbol is seen on all exchanges.
    await tab.evaluate(`document.querySelector("#series-head th:nth-child(2) button").click()`);
    if (opens !== undefined) await openChart(tab, opens);
    const file = `${folder}/${name}.png`;
    await Deno.writeFile(file, await tab.screenshot());
    await reduceColours(file);
    console.log(file, tab.errors);
  }
} finally {
  await browser.close();
  await archive.close();
}

async function openChart(tab: Tab, series: string): Promise<void> {
  await tab.evaluate(`document.querySelector('[aria-label^="${series}:"]').click()`);
  await tab.until(`document.querySelector("#chart-gaps li")`);
  // Two frames: one to lay out, one to draw.
  await tab.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
  );
}

/** To a third of the bytes, where pngquant is installed. */
async function reduceColours(file: string): Promise<void> {
  const args = ["--force", "--strip", "--nofs", "--ext", ".png", "128", file];
  try {
    await new Deno.Command("pngquant", { args }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
