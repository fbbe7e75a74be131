/** Rows of a table that live as long as what they show: an update changes texts, and takes no focus away. @module */

/**
 * Puts nodes into an order, moving as few as possible, and gives the focus back to what was moved.
 * @param {HTMLElement} place
 * @param {readonly HTMLElement[]} nodes all that it shall hold
 */
export function arrange(place, nodes) {
  const focused = document.activeElement;
  const hadFocus = focused !== null && place.contains(focused);
  const wanted = new Set(nodes);
  for (const node of [...place.children]) {
    if (!wanted.has(/** @type {HTMLElement} */ (node))) node.remove();
  }
  let next = place.firstElementChild;
  for (const node of nodes) {
    if (node === next) next = next.nextElementSibling;
    else place.insertBefore(node, next);
  }
  if (!hadFocus || document.activeElement === focused) return;
  // What had the focus is gone: its place is the next best.
  const heir = focused.isConnected ? focused : place.closest("[tabindex]");
  /** @type {HTMLElement | null} */ (heir)?.focus({ preventScroll: true });
}

/**
 * One row per key.
 * @template T
 */
export class KeyedRows {
  /** @type {Map<string, { readonly row: HTMLElement, readonly show: (one: T) => void }>} */
  #rows = new Map();
  #place;
  #make;

  /**
   * @param {HTMLElement} place
   * @param {() => { readonly row: HTMLElement, readonly show: (one: T) => void }} make
   */
  constructor(place, make) {
    this.#place = place;
    this.#make = make;
  }

  /**
   * @param {readonly T[]} all in the order to show
   * @param {(one: T) => string} keyOf
   */
  update(all, keyOf) {
    const keys = new Set(all.map(keyOf));
    for (const key of this.#rows.keys()) if (!keys.has(key)) this.#rows.delete(key);
    const nodes = all.map((one) => {
      const key = keyOf(one);
      const kept = this.#rows.get(key) ?? this.#make();
      this.#rows.set(key, kept);
      kept.show(one);
      return kept.row;
    });
    arrange(this.#place, nodes);
  }
}
