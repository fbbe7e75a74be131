/** The setting `EGRESS`: by which address this process reaches exchanges. @module */
import * as read from "./setting.ts";
import { PROXY_OPTIONS } from "./exchange_options.ts";
import { ownHost } from "./own_host.ts";
import type { SettingTexts } from "./variable.ts";

/** The part of the configuration that says by which address exchanges are reached. */
export interface EgressSettings {
  /** `EGRESS`, or the proxy of the environment. */
  readonly egress: string | undefined;
  readonly exchangeOptions: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  readonly exchangeProxyUrl: string | undefined;
}

const ALLOWED = "an IP address of this machine, or a name of letters, digits and . _ - only";

/** The row of the table of variables. */
export const EGRESS = {
  name: "EGRESS",
  meaning: "Name of the address by which exchanges see this node, or that IP address itself.",
  details:
    "Only of use where several nodes share a server: nodes of one egress never ask one exchange " +
    "at the same time, because exchanges count requests by address. From an IP address of this " +
    "machine, requests and streams leave. When unset it is the name of the machine, and one " +
    "name for all containers. An exchange with its own proxy has the proxy's.",
  read: () =>
    read.setting(ALLOWED, (text) => {
      const address = addressOf(text);
      if (address !== undefined) return isUsable(address) ? address : undefined;
      const isName = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/i.test(text);
      return isName && !/^[\d.]+$/.test(text) ? text : undefined;
    }).optional(),
} as const;

/**
 * The name of the address by which an exchange is reached: of its proxy (without credentials), else `EGRESS`, else of this
 * machine.
 */
export function egressOf(settings: EgressSettings, exchange: string): string {
  const proxy = proxyOf(settings, exchange);
  return proxy === undefined ? settings.egress ?? ownHost() : placeOf(proxy);
}

/** Host and port of a proxy, without credentials. A URL without a port has the usual one. */
function placeOf(proxy: string): string {
  const { host, port, protocol } = new URL(proxy);
  return port === "" ? `${host}:${USUAL_PORTS[protocol] ?? ""}` : host;
}

const USUAL_PORTS: Readonly<Record<string, string>> = {
  ...{ "http:": "80", "https:": "443", "socks5:": "1080", "socks5h:": "1080" },
};

/** The proxy of the environment, which carries all exchanges that have none of their own; it cannot be read later. */
export function environmentProxy(env: SettingTexts): string | undefined {
  const names = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
  const text = names.map((name) => env[name]).find((value) => value !== undefined && value !== "");
  if (text === undefined) return undefined;
  const url = text.includes("://") ? text : `http://${text}`;
  return URL.canParse(url) ? placeOf(url) : undefined;
}

/** The address of this machine from which requests to an exchange leave; undefined where the system chooses it. */
export function sourceAddress(settings: EgressSettings, exchange: string): string | undefined {
  const { egress } = settings;
  if (egress === undefined || proxyOf(settings, exchange) !== undefined) return undefined;
  return addressOf(egress);
}

/** An IP address as it is always written, or undefined. */
export function addressOf(text: string): string | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/.test(text)) {
    return text.split(".").every((part) => Number(part) < 256 && String(Number(part)) === part)
      ? text
      : undefined;
  }
  const isV6 = /^[0-9a-f.]*:[0-9a-f:.]*$/i.test(text) && URL.canParse(`http://[${text}]/`);
  return isV6 ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : undefined;
}

/** Those that stand for any address, or for many machines, are no address to leave from. */
function isUsable(address: string): boolean {
  return !/^(?:0\.|22[4-9]\.|2[3-5]\d\.|::$|ff)/.test(address);
}

function proxyOf(
  { exchangeOptions, exchangeProxyUrl }: EgressSettings,
  exchange: string,
): string | undefined {
  const options = exchangeOptions[exchange] ?? {};
  const own = PROXY_OPTIONS.map((name) => options[name]).find((value) => typeof value === "string");
  return own ?? exchangeProxyUrl;
}
