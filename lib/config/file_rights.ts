/** Who else may read or change a file. Windows and some mounts know neither owners nor modes. @module */
import { printable } from "../text/printable.ts";
import { shellWord } from "../text/shell_word.ts";

/** The user that runs the program; undefined where there is none, or where the program may not know. */
export function ownUser(): number | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() ?? undefined : undefined;
}

/** Whether the group, or everybody, may write to it. */
export function isOpenToWrite({ mode }: Deno.FileInfo): boolean {
  return mode !== null && (mode & 0o022) !== 0;
}

/** Its owner, if that is another user. */
export function foreignOwner({ uid }: Deno.FileInfo): number | undefined {
  const own = ownUser();
  return uid === null || own === undefined || uid === own ? undefined : uid;
}

/** `mode 0755`. */
export function modeText({ mode }: Deno.FileInfo): string {
  return `mode 0${((mode ?? 0) & 0o777).toString(8)}`;
}

/** Where containers are handed secrets, by whatever user of the host. There are no other users in a container. */
const HANDED_OUT = /^\/(?:var\/)?run\/secrets\//;

/** A file of settings. */
export interface SettingFile {
  readonly path: string;
  readonly holdsSecrets: boolean;
}

/** What is wrong with the rights of files of settings, one sentence each with the command that mends it. */
export async function fileHints(files: readonly SettingFile[]): Promise<readonly string[]> {
  const hints = await Promise.all(files.map(async ({ path, holdsSecrets }) => {
    const info = await Deno.stat(path).catch(() => undefined);
    if (info === undefined || HANDED_OUT.test(path)) return [];
    const [name, owner, mode] = [printable(path), foreignOwner(info), modeText(info)];
    const word = printable(shellWord(path));
    // What root can change is as safe as the program itself.
    if (owner !== undefined && owner !== 0) {
      return [`${name} belongs to user ${owner}, who can change it. Run chown $(id -u) ${word}`];
    }
    if (isOpenToWrite(info)) {
      return [`${name} can be changed by other users (${mode}). Run chmod go-w ${word}`];
    }
    const isReadByAll = info.mode !== null && (info.mode & 0o004) !== 0;
    return holdsSecrets && isReadByAll
      ? [`${name} holds secrets, and every user can read it (${mode}). Run chmod o-r ${word}`]
      : [];
  }));
  return hints.flat();
}
