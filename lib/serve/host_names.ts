/**
 * Which hosts a request may name. A web page whose name was made to point at this machine (DNS rebinding) is read by its
 * visitors' browsers with that name.
 * @module
 */
import { isLoopback } from "../text/loopback.ts";

interface HostOptions {
  /** The address that is listened on. */
  readonly hostname: string;
  /** A token keeps out whom a browser brings: it does not send it. */
  readonly token?: string | undefined;
  /** Configured names, in small letters; empty for none. */
  readonly allowedHosts: readonly string[];
}

const HOST = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,255})(?::\d{1,5})?$/;

const ADDRESS = /^(?:\[.*\]|\d{1,3}(?:\.\d{1,3}){3})$/;

/** Whether the value of a header Host is written as a host, with or without a port. */
export function isHost(value: string): boolean {
  return HOST.test(value.toLowerCase());
}

/**
 * Returns a function that tells whether a host is accepted, by the value of the header Host:
 *
 * - on loopback without a token, only names and addresses of loopback and configured names;
 * - with configured names, those, loopback and any address, which no name leads to;
 * - else any.
 */
export function hostRule(
  { hostname, token, allowedHosts }: HostOptions,
): (value: string) => boolean {
  const isLocal = isLoopback(hostname) && token === undefined;
  if (!isLocal && allowedHosts.length === 0) return () => true;
  return (value) => {
    const host = HOST.exec(value.toLowerCase())?.[1] ?? "";
    return isLoopback(host) || allowedHosts.includes(host) || !isLocal && ADDRESS.test(host);
  };
}
