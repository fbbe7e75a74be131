/** Remakes the screenshots in `.docs`: the page in light, in dark and on a phone, and a chart. @module */
import { findChromium, startChromium, type Tab, type TabOptions } from "../support/chromium.ts";
import { serveRichArchive } from "../support/rich_archive.ts";

const SHOTS: readonly (TabOptions & { readonly name: string; readonly opens?: string })[] = [
  { name: "page-light", height: 960 },
  { name: "page-dark", height: 960, isDark: true },
  { name: "page-phone", width: 390, height: 1100, isPhone: true },
  { name: "chart", height: 900, opens: "binance BTC/USDT 1m" },
];

const path = await findChromium();
if (path === undefined) throw new Error("There is no Chromium: set CHROMIUM to the path of one");
const folder = Deno.args[0] ?? new URL("../../.docs", import.meta.url).pathname;
const archive = await serveRichArchive({
  exchanges: ["binance", "bybit", "coinbase", "kraken", "okx"],
  symbols: ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "LTC/USDT", "DOGE/USDT"],
});
if (archive === undefined) throw new Error("There is no database");
const browser = await startChromium(path);
try {
  for (const { name, opens, ...options } of SHOTS) {
    const tab = await browser.open(archive.server.url, options);
    await tab.until(`document.querySelectorAll("#series-rows tr").length > 0`);
    if (opens !== undefined) await openChart(tab, opens);
    await Deno.writeFile(`${folder}/${name}.png`, await tab.screenshot());
    console.log(`${folder}/${name}.png`, tab.errors);
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
