/** How many listen to server-sent events at once, of all and of one address. @module */

/** Limits open connections; each also keeps a few events in memory. */
export const LISTENERS_MAX = 32;

/** Of one address: half of them, so that no address keeps out the others. Behind a proxy all listeners have its address. */
const LISTENERS_PER_PEER_MAX = LISTENERS_MAX / 2;

/** Shared by all feeds of one server. */
export class ListenerSlots {
  readonly #peers: string[] = [];

  /** Whether there was a slot. It must be given back. */
  take(peer: string): boolean {
    if (this.#peers.length >= LISTENERS_MAX) return false;
    if (this.#peers.filter((one) => one === peer).length >= LISTENERS_PER_PEER_MAX) return false;
    this.#peers.push(peer);
    return true;
  }

  giveBack(peer: string): void {
    const at = this.#peers.indexOf(peer);
    if (at !== -1) this.#peers.splice(at, 1);
  }
}
