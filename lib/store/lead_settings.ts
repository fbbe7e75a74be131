/** The settings of the node that leads, for those whose settings differ. @module */
import type { SettingValuesByName } from "../config/shared_settings.ts";
import type { Database } from "./connection/database.ts";

interface LeadSettings {
  /** The names of the leader and of the node that asks, for people. */
  readonly leader: string;
  readonly own: string;
  readonly hash: string;
  readonly settings: SettingValuesByName;
}

/** Undefined while no node leads, or the node that asks is not known. @throws StoreError */
export async function readLeadSettings(
  database: Database,
  node: string,
): Promise<LeadSettings | undefined> {
  return await database.run("read the settings of the node that leads", async (sql) => {
    const [row] = await sql<LeadSettings[]>`
      select lead.name as leader, own.name as own, lead.settings_hash as hash, lead.settings
      from leases join nodes as lead on lead.node = leases.holder join nodes as own on own.node = ${node}::uuid
      where exchange = '' and symbol = ''`;
    return row && { ...row };
  });
}
