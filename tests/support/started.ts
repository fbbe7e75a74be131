/** Work that is begun now and waited for later. @module */

/**
 * A failure is told where the work is waited for. Nobody would take one that came before, and what nobody takes ends the
 * other tests of its file, and hides the reason of the first failure.
 */
export function started<P extends Promise<unknown>>(work: P): P {
  work.catch(() => {});
  return work;
}
