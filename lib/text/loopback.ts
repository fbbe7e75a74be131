/** Tells this machine from others by the way it is addressed. @module */

/**
 * Whether a host or an address means this machine alone: `localhost` and names below it (RFC 6761), 127.0.0.0/8 and
 * `::1`. Brackets around an IPv6 address do not count.
 */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  return bare === "localhost" || bare.endsWith(".localhost") ||
    /^127(?:\.\d{1,3}){3}$/.test(bare) || /^(?:0{0,4}:){2,7}0{0,3}1$/.test(bare);
}
