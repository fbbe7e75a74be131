/** An encrypted exchange: behind a forward proxy, reached by CONNECT and with a password, and one that is somebody else. @module */
import assert from "node:assert/strict";
import { systemClock } from "../../lib/clock.ts";
import { startLocalExchange } from "../support/local_exchange/faulty_exchange.ts";
import { withAnyArchivePlace } from "../support/archive_place.ts";
import { makeCertificates } from "../support/certificates.ts";
import { withForwardProxy } from "../support/forward_proxy.ts";
import { assertCode, run, withDirectory } from "../support/program.ts";

const SETTINGS = {
  EXCHANGES: "binance",
  SYMBOLS: "BTC/USDT",
  TIMEFRAMES: "1h",
  BACKFILL: "off",
  RETRY_ATTEMPTS: "1",
  LOG_LEVEL: "warning",
  // Run from its sources, Deno would look for a newer Deno.
  DENO_NO_UPDATE_CHECK: "1",
};

/** A local exchange that speaks TLS, and the file of the authority by which to know it. */
async function withEncryptedExchange(
  use: (url: string, authorityPath: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (folder) => {
    const exchange = await startLocalExchange({ clock: systemClock });
    const { certificate: cert, key, authorityPath } = await makeCertificates(
      folder,
      "IP:127.0.0.1",
    );
    const front = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert, key, onListen: () => {} },
      (request) => {
        const { pathname, search } = new URL(request.url);
        return fetch(exchange.url + pathname + search);
      },
    );
    try {
      await use(`https://127.0.0.1:${front.addr.port}`, authorityPath);
    } finally {
      await front.shutdown();
      await exchange.close();
    }
  });
}

Deno.test("an exchange is reached through the proxy of its line in .env, and the password is not told", () =>
  withEncryptedExchange(async (url, DENO_CERT) => {
    await withForwardProxy({ credentials: "me:hunter2" }, async (proxy) => {
      for (const [password, code] of [["hunter2", 0], ["hunter3", 1]] as const) {
        await withAnyArchivePlace(async ({ folder: cwd, env }) => {
          const line = JSON.stringify({
            httpsProxy: proxy.url.replace("//", `//me:${password}@`),
            urls: { api: { public: `${url}/api/v3` } },
          });
          const unused = `EXCHANGE_KRAKEN='{"apiKey":"hunter4"}'`;
          await Deno.writeTextFile(`${cwd}/.env`, `EXCHANGE_BINANCE='${line}'\n${unused}\n`);
          const shown = await run(["doctor"], { cwd, env: { ...SETTINGS, ...env, DENO_CERT } });
          assert.doesNotMatch(shown.stderr, /EXCHANGE_KRAKEN/, "it is a hint of the doctor");
          assertCode(shown, code);
          const text = shown.stdout.replace(/\s+/g, " ");
          assert.match(text, /EXCHANGE_KRAKEN has options of an exchange that is not in EXCHANGES/);
          if (code === 0) assert.match(text, /ok candles 5 of the newest 5 of BTC\/USDT 1h came/);
          else {
            assert.match(
              text,
              /its proxy http:\/\/127\.0\.0\.1:\d+ needs credentials, or refuses the given ones \(HTTP 407\)/,
            );
            assert.match(text, /If this lasts, check the proxy in EXCHANGE_BINANCE/);
          }
          assert.doesNotMatch(shown.stdout + shown.stderr, /hunter/);
        });
      }
      const { host } = new URL(url);
      assert.deepEqual(new Set(proxy.asked), new Set([`CONNECT ${host} HTTP/1.1`]));
    });
  }));

Deno.test("an exchange with nobody's certificate, or another name's, is told as that, and nothing of it is stored", async () => {
  const shown = async (url: string, trust: Readonly<Record<string, string>>): Promise<string> => {
    const EXCHANGE_BINANCE = JSON.stringify({ urls: { api: { public: `${url}/api/v3` } } });
    const env = { ...SETTINGS, BACKFILL: "1h:2d", EXCHANGE_BINANCE, ...trust };
    const texts: string[] = [];
    await withAnyArchivePlace(async (place) => {
      for (const command of ["backfill", "doctor"]) {
        const { code, stdout } = await run([command], {
          cwd: place.folder,
          env: { ...env, ...place.env },
        });
        assert.equal(code, 1, stdout);
        texts.push(stdout.replace(/\s+/g, " "));
      }
    });
    assert.match(texts[0] ?? "", /0 candles in 0 pages/);
    assert.match(texts[1] ?? "", /Another server answers: .* set DENO_TLS_CA_STORE=system/);
    return texts.join("\n");
  };
  await withEncryptedExchange(async (url, DENO_CERT) => {
    assert.match(
      await shown(url, {}),
      /fetch failed: invalid peer certificate: UnknownIssuer/,
    );
    const byName = url.replace("127.0.0.1", "localhost");
    assert.match(await shown(byName, { DENO_CERT }), /certificate not valid for name "localhost"/);
  });
});

Deno.test("HTTPS_PROXY of the environment carries all exchanges, but not what NO_PROXY names", () =>
  withEncryptedExchange(async (url, DENO_CERT) => {
    await withForwardProxy({ credentials: "me:hunter2" }, async (proxy) => {
      const EXCHANGE_BINANCE = JSON.stringify({ urls: { api: { public: `${url}/api/v3` } } });
      const HTTPS_PROXY = proxy.url.replace("//", "//me:hunter2@");
      await withAnyArchivePlace(async (place) => {
        const cwd = place.folder;
        const env = { ...SETTINGS, ...place.env, DENO_CERT, EXCHANGE_BINANCE, HTTPS_PROXY };
        assertCode(await run(["doctor"], { cwd, env: { ...env, NO_PROXY: "127.0.0.1" } }), 0);
        assert.deepEqual(proxy.asked, []);
        assertCode(await run(["doctor"], { cwd, env }), 0);
        const { host } = new URL(url);
        assert.deepEqual(new Set(proxy.asked), new Set([`CONNECT ${host} HTTP/1.1`]));
      });
    });
  }));
