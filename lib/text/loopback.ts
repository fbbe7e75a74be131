/** Recognizes addresses of this machine. @module */

/**
 * Whether a host is a loopback address: `localhost` and names below it (RFC 6761), 127.0.0.0/8 or `::1`, with or without
 * brackets.
 */
export function isLoopback(host: string): boolean {
  const bare = host.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  return bare === "localhost" || bare.endsWith(".localhost") ||
    /^127(?:\.\d{1,3}){3}$/.test(bare) || /^(?:0{0,4}:){2,7}0{0,3}1$/.test(bare);
}
