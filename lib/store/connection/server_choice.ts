/** Chooses the server that statements are sent to, among those of a database URL. @module */
import type { Target } from "../../config/database_parameters.ts";
import { attempt, codeOf, StoreError } from "./store_error.ts";

/** A server that answers. */
interface ServerState {
  readonly isStandby: boolean;
}

interface ServerChoice {
  /** The names of the servers, in the order in which they are tried. */
  readonly names: readonly string[];
  readonly target: Target;
  /** Asks one of them. */
  readonly ask: (at: number) => Promise<ServerState>;
}

/** None of the servers can be used for now. */
class NoServerFoundError extends Error {
  override readonly name = "NoServerFoundError";
  /** As when one server cannot be reached: `sqlclient_unable_to_establish_sqlconnection`. */
  readonly code = "08001";
}

/**
 * The place of the first server that is what the target says.
 *
 * @throws NoServerFoundError when there is none, with what was found at each.
 * @throws Error of a server that refuses us, as libpq does: the others are not tried then.
 */
export async function chooseServer({ names, target, ask }: ServerChoice): Promise<number> {
  const standbys: number[] = [];
  const primaries: number[] = [];
  const found: string[] = [];
  for (const [at, name] of names.entries()) {
    try {
      const { isStandby } = await attempt("ask", () => ask(at));
      (isStandby ? standbys : primaries).push(at);
      found.push(`${name} is a ${isStandby ? "standby" : "primary"}`);
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind === "refused") throw causeOf(error);
      found.push(`${name}: ${textOf(causeOf(error))}`);
      continue;
    }
    if (target === "any" || (target === "primary") === primaries.includes(at)) return at;
  }
  const [primary] = primaries;
  if (target === "prefer-standby" && primary !== undefined) return primary;
  const wanted = WANTED[target];
  throw new NoServerFoundError(`no host of DATABASE_URL ${wanted}: ${found.join("; ")}`);
}

const WANTED: Readonly<Record<Target, string>> = {
  "any": "answers",
  "primary": "is a primary",
  "standby": "is a standby",
  "prefer-standby": "answers",
};

function causeOf(error: unknown): unknown {
  return error instanceof StoreError ? error.cause ?? error : error;
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text || (codeOf(error) ?? "no answer");
}
