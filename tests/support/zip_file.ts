/** Makes a ZIP archive of one member, as small archives of exchanges are. @module */
import { crc32, deflateRawSync } from "node:zlib";

export function zipOf(name: string, text: string): Uint8Array {
  const content = new TextEncoder().encode(text);
  const packed = deflateRawSync(content, { level: 1 });
  const nameBytes = new TextEncoder().encode(name);
  /** What a local header and a central one have in common, from the version on. */
  const common = [
    ...[...u16(20), ...u16(0), ...u16(8), ...u16(0), ...u16(0x21)],
    ...[...u32(crc32(content)), ...u32(packed.length), ...u32(content.length)],
    ...[...u16(nameBytes.length), ...u16(0)],
  ];
  const local = [...u32(0x04034b50), ...common];
  const central = [
    ...[...u32(0x02014b50), ...u16(20), ...common],
    ...[...u16(0), ...u16(0), ...u16(0), ...u32(0), ...u32(0)],
  ];
  const centralAt = local.length + nameBytes.length + packed.length;
  const end = [
    ...[...u32(0x06054b50), ...u16(0), ...u16(0), ...u16(1), ...u16(1)],
    ...[...u32(central.length + nameBytes.length), ...u32(centralAt), ...u16(0)],
  ];
  const parts = [local, nameBytes, packed, central, nameBytes, end].map((part) =>
    Uint8Array.from(part)
  );
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function u16(value: number): readonly number[] {
  return [value & 255, (value >> 8) & 255];
}

function u32(value: number): readonly number[] {
  return [...u16(value & 0xffff), ...u16(value >>> 16)];
}
