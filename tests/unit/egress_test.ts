import assert from "node:assert/strict";
import { readConfig } from "../../lib/config/config.ts";
import { egressOf, sourceAddress } from "../../lib/config/egress_setting.ts";
import { ownHost } from "../../lib/config/own_host.ts";
import { concerns } from "../../lib/daemon/egress_bans.ts";
import { Bans } from "../../lib/exchange/bans.ts";
import { Denials } from "../../lib/exchange/denial.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { findStream, streamedExchange } from "../../lib/exchange/stream_address.ts";
import { ManualClock } from "../support/manual_clock.ts";

type Env = Readonly<Record<string, string>>;

function configOf(env: Env): ReturnType<typeof readConfig> {
  const rules = { knownExchanges: ["binance", "kraken", "okx", "bybit"], isCron: () => true };
  return readConfig({ env: { EXCHANGES: "binance,kraken", ...env } }, rules);
}

Deno.test("EGRESS is an address as it is always written, or a name", () => {
  for (
    const [text, egress] of [
      ["203.0.113.7", "203.0.113.7"],
      ["2001:DB8:0:0::7", "2001:db8::7"],
      ["frankfurt-1", "frankfurt-1"],
      ["a", "a"],
    ] as const
  ) assert.equal(configOf({ EGRESS: text }).egress, egress);
  for (
    const text of [
      ...["203.0.113.300", "203.0.113", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "ff02::1"],
      ...["fe80::1%eth0", "a b", "a:1", "-a", "http://a", "me@a", "x".repeat(64), "010.0.0.1"],
    ]
  ) {
    assert.throws(() => configOf({ EGRESS: text }), {
      message: /EGRESS=".*": expected an IP address of this machine, or a name of letters/,
    }, text);
  }
});

Deno.test("an exchange with a proxy has the proxy's place for its egress, without credentials, and leaves from no address", () => {
  const config = configOf({
    EGRESS: "203.0.113.7",
    EXCHANGE_BINANCE: '{"httpsProxy":"http://me:hunter2@proxy.test:3128"}',
    EXCHANGE_OKX: '{"socksProxy":"socks5h://me:hunter2@proxy.test"}',
    EXCHANGE_BYBIT: '{"proxyUrl":"https://front.test/?url="}',
  });
  const told = ["binance", "okx", "bybit", "kraken"].map((id) => [
    egressOf(config, id),
    sourceAddress(config, id),
  ]);
  assert.deepEqual(told, [
    ["proxy.test:3128", undefined],
    ["proxy.test:1080", undefined],
    ["front.test:443", undefined],
    ["203.0.113.7", "203.0.113.7"],
  ]);
  const shared = configOf({ EXCHANGE_PROXY_URL: "http://me:hunter2@[2001:db8::1]/" });
  assert.equal(egressOf(shared, "kraken"), "[2001:db8::1]:80");
});

Deno.test("without EGRESS it is the proxy of the environment, else this machine", () => {
  assert.equal(egressOf(configOf({}), "kraken"), ownHost());
  for (
    const [name, text] of [["HTTPS_PROXY", "http://me:pw@p.test:1"], ["all_proxy", "p.test:1"]]
  ) {
    assert.equal(egressOf(configOf({ [name!]: text! }), "kraken"), "p.test:1");
  }
  const named = configOf({ HTTPS_PROXY: "http://p.test:1", EGRESS: "here" });
  assert.equal(egressOf(named, "kraken"), "here");
  assert.equal(sourceAddress(named, "kraken"), undefined);
});

Deno.test("a stream leaves from the address from which requests leave", () => {
  const config = configOf({ EGRESS: "203.0.113.7" });
  const found = findStream(streamedExchange("kraken", config));
  assert("address" in found);
  assert.equal(found.address.sourceAddress, "203.0.113.7");
});

Deno.test("what was said to another egress counts where it may have been this one", () => {
  const said = (egress: string, isInUse: boolean, own: string): boolean =>
    concerns({ egress, isInUse }, own);
  assert(said("a", true, "a"));
  assert(said("a", false, "b"));
  assert(!said("a", true, "b"), "another node has it");
  assert(said("", false, "192.0.2.1"), "from before egresses were told apart");
  assert(!said("192.0.2.1", false, "192.0.2.2"), "two addresses are not one");
  assert(said("192.0.2.1", false, "a"));
});

Deno.test("requests wait for what another process was told of bans", async () => {
  const clock = new ManualClock();
  const bans = new Bans("binance", clock);
  const { promise, resolve } = Promise.withResolvers<void>();
  const seen: string[] = [];
  bans.restoreBy(promise.then(() => {
    seen.push("read");
    bans.restore({ host: undefined, untilMs: clock.now() + 1_000, reason: "418" });
  }));
  const asking = bans.restored().then(() => seen.push("asked"));
  resolve();
  await asking;
  assert.deepEqual(seen, ["read", "asked"]);
  assert.throws(() => bans.assertOpen("api.binance.com"), { kind: "rate_limited" });
  // What cannot be read holds nobody back for ever.
  bans.restoreBy(Promise.reject(new Error("the database is away")));
  await bans.restored();
});

Deno.test("a refusal from before a restart holds nothing back, but one more answer proves it, and its end is told", () => {
  const clock = new ManualClock();
  const told: string[] = [];
  const news = {
    onDenial: ({ host }: { readonly host: string }) => told.push(`refused ${host}`),
    onDenialEnd: (host: string) => told.push(`answered ${host}`),
  };
  const refusal = (): FetchError => new FetchError("denied", "451");
  const first = new Denials(clock, news);
  first.proved(refusal(), "a");
  assert.deepEqual(told, []);
  first.proved(refusal(), "a");
  first.answered("a");
  first.answered("a");
  assert.deepEqual(told.splice(0), ["refused a", "answered a"]);

  const sinceMs = clock.now() - 1_000;
  const stored = { host: "a", why: "451", sinceMs, untilMs: clock.now() + 3_600_000 };
  const again = new Denials(clock, news);
  again.restore(stored);
  again.assertOpen("a");
  assert.equal(again.state, "unknown");
  again.proved(refusal(), "a");
  assert.deepEqual(again.state, { sinceMs, why: "451", isOfCandles: true });
  assert.deepEqual(told.splice(0), ["refused a"]);

  const last = new Denials(clock, news);
  last.restore(stored);
  last.answered("a");
  assert.deepEqual(told, ["answered a"]);
  assert.equal(last.state, "unknown");
});
