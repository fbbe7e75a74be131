/** All gaps of an archive at once, which tests can afford. @module */
import type { Database } from "../../lib/store/connection/database.ts";
import { type Gap, readGapPages } from "../../lib/store/gaps.ts";

export async function readGaps(database: Database): Promise<readonly Gap[]> {
  return (await Array.fromAsync(readGapPages(database))).flat();
}
