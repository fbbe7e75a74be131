import assert from "node:assert/strict";
import { Bans } from "../../lib/exchange/bans.ts";
import { CandleRequests } from "../../lib/exchange/candle_request.ts";
import { denialOf, Denials } from "../../lib/exchange/denial.ts";
import { FetchError } from "../../lib/exchange/fetch_error.ts";
import { KindHosts } from "../../lib/exchange/kind_hosts.ts";
import { Lanes } from "../../lib/exchange/lanes.ts";
import { ManualClock } from "../support/manual_clock.ts";

const CLOUDFRONT = `<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<HTML><HEAD><META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=iso-8859-1">
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>403 ERROR</H1>
<H2>The request could not be satisfied.</H2>
<HR noshade size="1px">
The Amazon CloudFront distribution is configured to block access from your country.
We can't connect to the server for this app or website at this time.
</BODY></HTML>`;

const CLOUDFLARE = `<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title>
<script>window.x="blocked country"</script><style>.a{}</style></head><body>
<h1 data-translate="block_headline">Sorry, you have been blocked</h1>
<h2><span>You are unable to access</span> example.com</h2></body></html>`;

const AKAMAI = `<HTML><HEAD>
<TITLE>Access Denied</TITLE>
</HEAD><BODY>
<H1>Access Denied</H1>
You don't have permission to access "http&#58;&#47;&#47;api&#46;example&#46;com&#47;" on this server.<P>
Reference&#32;&#35;18&#46;1</BODY></HTML>`;

const page = (title: string, body: string): string =>
  `<html><head><title>${title}</title></head><body>${body}</body></html>`;

Deno.test("a provider's page that refuses us is quoted by the sentence that says why", () => {
  for (
    const [status, text, why] of [
      [
        403,
        CLOUDFRONT,
        "The Amazon CloudFront distribution is configured to block access from your country.",
      ],
      [403, CLOUDFLARE, "Sorry, you have been blocked"],
      [403, AKAMAI, "Access Denied"],
      [
        403,
        page("", "Request unsuccessful. Incapsula incident ID: 1-2"),
        "Request unsuccessful.",
      ],
      [503, page("Just a moment...", "Enable JavaScript and cookies"), "Just a moment..."],
      [429, page("Just a moment...", "Enable JavaScript and cookies"), "Just a moment..."],
      [403, page("DDoS-Guard", "Checking your browser before you go on"), "DDoS-Guard"],
      [403, "error code: 1009", "error code: 1009 (the country of this address is banned)"],
      [403, "error code: 1020\n", "error code: 1020 (access is denied)"],
      [403, "Your region is not supported", "Your region is not supported"],
      [451, "", "unavailable for legal reasons"],
      [451, page("451", "For legal reasons"), "451"],
    ] as const
  ) assert.equal(denialOf({ status, text }), why, text);
});

Deno.test("an error that says the service is refused to this place is a denial, one about a symbol is not", () => {
  const binance =
    "Service unavailable from a restricted location according to 'b. Eligibility' in the terms of use.";
  assert.equal(denialOf({ status: 451, json: { code: 0, msg: binance } }), binance);
  assert.equal(denialOf({ status: 200, json: { code: 1, msg: binance } }), binance);
  assert.equal(
    denialOf({ status: 403, json: { error: { message: "Your country is not allowed" } } }),
    "Your country is not allowed",
  );
  for (
    const msg of [
      "This token is not available in your region",
      "Your located country/region is currently not supported for the trading of this token",
      "Too many requests from this location, access is denied",
      "Invalid symbol",
    ]
  ) {
    for (const status of [200, 400, 403]) {
      assert.equal(denialOf({ status, json: { code: 1, msg } }), undefined, msg);
    }
  }
});

Deno.test("a bare 403, a rate limit's page and a maintenance page are no denials", () => {
  for (
    const [status, text] of [
      [403, ""],
      [403, "Forbidden"],
      [403, page("403 Forbidden", "<center><h1>403 Forbidden</h1></center><hr>nginx")],
      [403, page("403", "Access denied: you sent too many requests")],
      [403, "error code: 1015"],
      [429, page("Error 1015", "You are being rate limited")],
      [503, page("Maintenance", "We'll be back soon in your region")],
      [200, page("Maintenance", "Trading is blocked for an hour")],
      [undefined, CLOUDFRONT],
    ] as const
  ) assert.equal(denialOf({ status, text }), undefined, text);
});

Deno.test("a quotation is printable, without HTML, and of at most 200 characters", () => {
  const text = `<p>Access denied &#27;[31m <b>${"x".repeat(300)}</b></p>`;
  const quote = denialOf({ status: 403, text }) ?? "";
  assert.equal(quote.length, 200);
  assert.match(quote, /^Access denied \\x1b\[31m x+…$/);
  for (const text of ["<".repeat(100_000), "<script>".repeat(20_000), "&#xffffff; access denied"]) {
    denialOf({ status: 403, text });
  }
});

const denied = (): FetchError => new FetchError("denied", "Cannot ask: access is refused");

Deno.test("two answers prove a denial, then a host is left alone for longer each time, up to an hour", async () => {
  const clock = new ManualClock();
  const denials = new Denials(clock);
  assert.equal(denials.proved(denied(), "a.test").untilMs, undefined);
  denials.candlesFrom("a.test");
  const since = (): number | undefined => {
    const { state } = denials;
    return state === "unknown" ? NaN : state?.sinceMs;
  };
  assert.equal(since(), undefined);
  const waits: number[] = [];
  for (let refusals = 0; refusals < 9; refusals++) {
    const { untilMs = 0 } = denials.proved(denied(), "a.test");
    waits.push((untilMs - clock.now()) / 60_000);
    assert.throws(() => denials.assertOpen("a.test"), { kind: "denied", untilMs });
    // Answers to requests that were under way.
    assert.equal(denials.proved(denied(), "a.test").untilMs, untilMs);
    denials.assertOpen("b.test");
    await clock.advance(untilMs - clock.now());
    denials.assertOpen("a.test");
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
  assert.equal(since(), Date.UTC(2024, 0, 1));
  denials.answered("a.test");
  assert.equal(since(), undefined);
  assert.equal(denials.proved(denied(), "a.test").untilMs, undefined);
});

Deno.test("a host that has just answered others is not left alone", () => {
  const clock = new ManualClock();
  const denials = new Denials(clock);
  denials.answered("a.test");
  denials.candlesFrom("a.test");
  denials.proved(denied(), "a.test");
  assert.notEqual(denials.proved(denied(), "a.test").untilMs, undefined);
  denials.assertOpen("a.test");
  assert.equal(denials.state, undefined);
});

Deno.test("a denial of another host than the candles' says so, and lapses when that host is not asked any more", async () => {
  const clock = new ManualClock();
  const denials = new Denials(clock);
  const deny = (host: string): number => {
    denials.proved(denied(), host);
    return denials.proved(denied(), host).untilMs ?? NaN;
  };
  const untilMs = deny("tickers.test");
  const kind = (): unknown => {
    const { state } = denials;
    return typeof state === "object" ? state.isOfCandles : state;
  };
  assert.equal(kind(), true, "nothing but this host is known");
  denials.answered("candles.test");
  denials.candlesFrom("candles.test");
  assert.equal(kind(), false);
  await clock.advance(untilMs - clock.now() + 60 * 60_000);
  assert.equal(kind(), false, "it may be asked once an hour");
  await clock.advance(60 * 60_000);
  assert.equal(kind(), undefined);
  deny("candles.test");
  assert.equal(kind(), true);
});

Deno.test("while the host of a symbol's candles is not known, a denial counts for it if candles may be refused", () => {
  const clock = new ManualClock();
  const [bans, denials] = [new Bans("binance", clock), new Denials(clock)];
  const open = (): Promise<never> => Promise.reject(new Error("nothing is asked"));
  const hosts = new KindHosts({
    ...{ bans, denials },
    requests: new CandleRequests({ open, clock }),
    lanes: new Lanes({ bans, clock, intervalMs: 1 }),
  });
  assert.equal(hosts.isDenied("BTC/USDT"), false);
  for (let i = 0; i < 2; i++) denials.proved(denied(), "tickers.test");
  assert.equal(hosts.isDenied("BTC/USDT"), true, "nothing but this host is known");
  denials.candlesFrom("candles.test");
  assert.equal(hosts.isDenied("BTC/USDT"), false);
});

Deno.test("of several hosts that give candles each is denied by itself", () => {
  const clock = new ManualClock();
  const denials = new Denials(clock);
  denials.candlesFrom("api.test");
  denials.candlesFrom("fapi.test");
  for (let i = 0; i < 2; i++) denials.proved(denied(), "api.test");
  assert.equal((denials.state as { isOfCandles: boolean }).isOfCandles, true);
  assert.deepEqual(
    ["api.test", "fapi.test", "nowhere.test"].map((host) => denials.isDenied(host)),
    [
      true,
      false,
      false,
    ],
  );
});

Deno.test("right after a start it is not known whether access is refused, until candles come or ten minutes are over", async () => {
  const clock = new ManualClock();
  const [asked, unasked] = [new Denials(clock), new Denials(clock)];
  asked.answered("markets.test");
  assert.equal(asked.state, "unknown");
  asked.candlesFrom("candles.test");
  assert.equal(asked.state, undefined);
  assert.equal(unasked.state, "unknown");
  await clock.advance(10 * 60_000);
  assert.equal(unasked.state, undefined);
});
