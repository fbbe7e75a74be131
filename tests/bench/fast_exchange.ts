/**
 * A server that answers like Binance and costs next to nothing, so that a benchmark measures the program: pages are
 * made once and kept as bytes, the same ones for every symbol. A process of its own; its first line is its URL.
 * @module
 */
import { systemClock } from "../../lib/clock.ts";

const MINUTE_MS = 60_000;
const SYMBOLS = Array.from({ length: 8 }, (_, i) => `COIN${i}`);
const encoder = new TextEncoder();
const pages = new Map<string, Uint8Array<ArrayBuffer>>();

/** A walk of cents around 60,000 with volumes of eight decimals, the same at the same time. */
function pageOf(sinceMs: number, rows: number): Uint8Array<ArrayBuffer> {
  const key = `${sinceMs} ${rows}`;
  const known = pages.get(key);
  if (known !== undefined) return known;
  let seed = (sinceMs / MINUTE_MS) % 2_147_483_647;
  const random = (): number => (seed = (seed * 48_271 + 11) % 2_147_483_647) / 2_147_483_647;
  let price = 60_000 + 500 * Math.sin(sinceMs / 1e9);
  const lines: string[] = [];
  for (
    let timeMs = sinceMs;
    lines.length < rows && timeMs <= systemClock.now();
    timeMs += MINUTE_MS
  ) {
    const open = price;
    price += (random() - 0.5) * 20;
    const [high, low] = [
      Math.max(open, price) + 5 * random(),
      Math.min(open, price) - 5 * random(),
    ];
    const prices = [open, high, low, price].map((value) => `"${value.toFixed(2)}"`).join(",");
    const volume = 30 * random();
    lines.push(
      `[${timeMs},${prices},"${volume.toFixed(8)}",${timeMs + MINUTE_MS - 1},` +
        `"${(volume * price).toFixed(8)}",${
          Math.floor(900 * random())
        },"1.00000000","60000.00000000","0"]`,
    );
  }
  const bytes = encoder.encode(`[${lines.join(",")}]`);
  // The newest page grows.
  if (lines.length === rows) pages.set(key, bytes);
  return bytes;
}

const EXCHANGE_INFO = {
  symbols: SYMBOLS.map((base) => ({
    symbol: `${base}USDT`,
    status: "TRADING",
    baseAsset: base,
    quoteAsset: "USDT",
    baseAssetPrecision: 8,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: [],
    isSpotTradingAllowed: true,
    permissions: ["SPOT"],
    filters: [],
  })),
};

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => void Deno.stdout.writeSync(encoder.encode(`http://127.0.0.1:${port}\n`)),
}, (request) => {
  const { pathname, searchParams } = new URL(request.url);
  if (pathname.endsWith("/exchangeInfo")) return Response.json(EXCHANGE_INFO);
  if (!pathname.endsWith("/klines")) return new Response("{}", { status: 404 });
  const rows = Number(searchParams.get("limit") ?? 500);
  return new Response(pageOf(Number(searchParams.get("startTime")), rows), {
    headers: { "content-type": "application/json" },
  });
});
