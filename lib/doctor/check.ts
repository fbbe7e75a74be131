/** The result of one check of the doctor, and texts that several checks use. @module */

/** The result of one check. */
export interface Check {
  readonly check: string;
  readonly ok: boolean;
  /** Whether it is only a hint: nothing is wrong, but it could be better. @default false */
  readonly isHint?: boolean;
  /** What was found. If something is wrong, it ends with the command or the setting that fixes it. */
  readonly message: string;
}

/** A clock is wrong if it differs by more. An answer's `Date` has only whole seconds, and takes time to arrive. */
export const CLOCK_MS_MAX = 5_000;

/** Error texts of rustls for a certificate of another server. An expired certificate is not among them. */
const FOREIGN_CERTIFICATE =
  /invalid peer certificate: (?:UnknownIssuer|certificate not valid for name)/;

/** What to do where another server answers; undefined where that is not what went wrong. */
export function foreignCertificateFix(problem: string): string | undefined {
  return FOREIGN_CERTIFICATE.test(problem)
    ? "Another server answers: if it is a proxy with its own certificate authority, set DENO_TLS_CA_STORE=system"
    : undefined;
}

/** `12 s ahead of`, `2.0 h behind`. */
export function clockText(aheadMs: number): string {
  const seconds = Math.abs(aheadMs) / 1000;
  const text = seconds < 120
    ? `${Math.round(seconds)} s`
    : seconds < 7_200
    ? `${Math.round(seconds / 60)} min`
    : `${(seconds / 3600).toFixed(1)} h`;
  return `${text} ${aheadMs > 0 ? "ahead of" : "behind"}`;
}

/** Joins what is wrong and how to fix it. */
export function withFix(wrong: string, fix: string): string {
  return `${wrong.replace(/[.\s]+$/, "")}. ${fix}`;
}

/** ISO 8601 UTC. */
export function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** `3 symbols`, `1 symbol`. */
export function counted(things: readonly unknown[], name: string): string {
  return `${things.length} ${name}${things.length === 1 ? "" : "s"}`;
}
