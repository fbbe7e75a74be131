/** Answers that go wrong at random, in the ways that public networks and busy exchanges have. @module */
import type { Fault, Faults } from "./fault.ts";

/** None of them says anything untrue that looks whole, so nothing is believed that is not so. */
const FAULTS: readonly Fault[] = [
  { kind: "status", status: 500 },
  { kind: "status", status: 502, body: "<html><body><h1>502 Bad Gateway</h1></body></html>" },
  { kind: "status", status: 503 },
  { kind: "status", status: 429, retryAfterSeconds: 2 },
  { kind: "html" },
  { kind: "truncated" },
  { kind: "empty_body" },
  { kind: "reset" },
  { kind: "hang" },
  { kind: "hang", afterHeaders: true },
  // Rows that are there, but not as they should be.
  { kind: "duplicate_rows", rows: 3 },
  { kind: "unordered_rows" },
];

/**
 * Puts each fault in force for an equal part of `share` of all requests. What is drawn is repeated by the seed, as far as
 * requests come in the same order.
 *
 * @returns how often they have struck
 */
export function addRandomFaults(
  faults: Faults,
  { share, random }: { readonly share: number; readonly random: () => number },
): () => number {
  const handles = FAULTS.map((fault) =>
    faults.add({ fault, chance: () => random() < share / FAULTS.length })
  );
  return () => handles.reduce((sum, { struck }) => sum + struck, 0);
}
