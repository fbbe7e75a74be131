/** The settings `HTTP_TOKEN` and `HTTP_ALLOWED_HOSTS`: who may ask the daemon over HTTP. @module */
import * as read from "./setting.ts";

export const HTTP_TOKEN = {
  name: "HTTP_TOKEN",
  meaning: "Token that HTTP requests must send, except for health and readiness; none when unset.",
  details: 'They send it in the header "Authorization: Bearer …".',
  secret: true,
  read: () =>
    read.textThat(
      "16 to 512 letters, digits and - . _ ~ + / =, such as openssl rand -hex 32 makes",
      (text) => /^[\w.~+/=-]{16,512}$/.test(text),
    ).optional(),
} as const;

export const HTTP_ALLOWED_HOSTS = {
  name: "HTTP_ALLOWED_HOSTS",
  meaning: "Host names accepted in HTTP requests, separated by commas; only loopback's when unset.",
  details: "Without a port, such as titan10.example.org: what a reverse proxy passes on in the " +
    "header Host. Loopback's names are always accepted; when unset, others only with " +
    "HTTP_TOKEN or on another address than loopback.",
  read: () =>
    read.list(
      read.textThat(
        "host names without a port, separated by commas, such as titan10.example.org",
        (text) => /^[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?$/i.test(text),
      ),
    ).transform((names) => names.map((name) => name.toLowerCase())).default([]),
} as const;
