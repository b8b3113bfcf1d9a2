import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { command } from "../command.ts";
import { CRD_MODULES } from "./versions.ts";

type CustomResource = Readonly<{
  spec: Readonly<{
    group: string;
    names: Readonly<{ singular: string }>;
    versions: readonly Readonly<{ name: string; schema: Readonly<{ openAPIV3Schema: Schema }> }>[];
  }>;
}>;
type Schema = Readonly<{ properties?: Readonly<Record<string, Schema>> }> & Readonly<Record<string, unknown>>;

/** Writes `schemas/crd/GROUP/KIND_VERSION.json` of each custom resource. Throws an Error where a module or its files are not to be had. */
export async function writeCrdSchemas(folder: string, scratch: string): Promise<void> {
  for (const { module, files } of CRD_MODULES) {
    // Only the sources are read: whatever Go the module asks for, nothing of it is compiled.
    const { Dir: directory } = JSON.parse(await command("go", ["mod", "download", "-json", module], { cwd: scratch }));
    const found = globSync(files, { cwd: directory });
    if (found.length === 0) throw new Error(`${module} has no ${files}.`);
    for (const file of found) writeResource(folder, parse(readFileSync(join(directory, file), "utf8")));
  }
}

function writeResource(folder: string, { spec }: CustomResource): void {
  const to = join(folder, "schemas", "crd", spec.group);
  mkdirSync(to, { recursive: true });
  for (const { name, schema } of spec.versions)
    writeFileSync(join(to, `${spec.names.singular}_${name}.json`), JSON.stringify(closed(schema.openAPIV3Schema)));
}

/** The schema, closed against unknown fields inside of `spec`, as the API server's pruning would be noticed. */
function closed(schema: Schema): Schema {
  const { spec, ...others } = schema.properties ?? {};
  return spec === undefined ? schema : { ...schema, properties: { ...others, spec: close(spec) as Schema } };
}

function close(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(close);
  if (typeof value !== "object" || value === null) return value;
  const inner = Object.entries(value).map(([key, one]) => [key, close(one)] as const);
  const result: Record<string, unknown> = Object.fromEntries(inner);
  const open = result["x-kubernetes-preserve-unknown-fields"] === true;
  if (typeof result.properties === "object" && !open) result.additionalProperties ??= false;
  if (result["x-kubernetes-int-or-string"] === true) delete result.type;
  return result;
}
