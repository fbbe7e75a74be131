/** What a pool of connections to a server is made with. @module */
import type { Clock } from "../../clock.ts";
import type { Target } from "../../config/database_parameters.ts";
import type { MakeRoom } from "./connection_room.ts";
import type { ReachWatch } from "./reach_watch.ts";
import type { SessionScope } from "./session_settings.ts";
import type { Sql } from "./sql.ts";

export interface ServerPoolOptions {
  /** The servers, at least one, in the order in which they are tried. */
  readonly names: readonly string[];
  /** Which of them statements are sent to. */
  readonly target: Target;
  /** Makes a pool of one of them whose connections have our settings. The server is not contacted yet. */
  readonly open: (scope: SessionScope, at: number) => Sql;
  /** The most connections of such a pool. */
  readonly poolMax: number;
  /** What a session must have, by name. */
  readonly needed: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Notes whether the server is away. @default one that nobody asks */
  readonly watch?: ReachWatch;
  /** See `ConnectionRoom`. */
  readonly makeRoom?: MakeRoom;
  /** @default `STATEMENT_MS_MAX` */
  readonly answerMsMax?: number;
  /** Whether another pool does its work where the server has no room for both: then the server is not away. */
  readonly isSpare?: boolean;
}
