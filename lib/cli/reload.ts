/** `titan10 reload`: the running daemon reads its settings again. @module */
import { type Config, ConfigError } from "../config/config.ts";
import { askReload } from "./ask_reload.ts";
import { type Flags, readSettings } from "./settings.ts";
import { EXIT, type ExitCode, type Shell } from "./shell.ts";

/** Fails if the settings cannot be used, or no daemon answers. */
export async function reload(shell: Shell, flags: Flags): Promise<ExitCode> {
  let config: Config;
  try {
    // Its faults are for the daemon to tell, which keeps its settings then.
    config = await readSettings(shell, flags, { withoutSettingsFile: true });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    shell.tell(`${error.message}\nNothing was reloaded: the daemon keeps its old settings.`);
    return EXIT.failed;
  }
  return await askReload({ config }, shell, { isJson: flags["json"] === true });
}
