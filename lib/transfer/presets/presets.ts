/** All sources of files that are known. @module */
import { EXCHANGE_PRESETS } from "./exchange_presets.ts";
import type { Preset } from "./preset.ts";
import { PROGRAM_PRESETS } from "./program_presets.ts";

export const PRESETS: readonly Preset[] = [...EXCHANGE_PRESETS, ...PROGRAM_PRESETS];

export const PRESET_NAMES: readonly string[] = PRESETS.map(({ name }) => name);

/** The preset of a name. */
export function presetOf(name: string): Preset | undefined {
  return PRESETS.find((preset) => preset.name === name);
}
