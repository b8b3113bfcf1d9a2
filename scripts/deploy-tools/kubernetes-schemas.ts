import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "../command.ts";
import { KUBERNETES_VERSIONS, SCHEMAS_PACKAGE } from "./versions.ts";

const SHARED = "_definitions.json";
const REFERENCE = /#\/\$defs\/([^"]+)"/g;

const UNPACK = `
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.split("/")[2:3] and name.split("/")[2] in sys.argv[3:]])
`;

/** Writes `schemas/kubernetes/vX.Y.0-standalone-strict/*.json`, as kubeconform looks for them. Throws an Error that says what is missing. */
export async function writeKubernetesSchemas(folder: string, scratch: string): Promise<void> {
  const versions = KUBERNETES_VERSIONS.map((version) => `v${version}.0-local-strict`);
  const download = [
    "-m",
    "pip",
    "download",
    "--quiet",
    "--no-deps",
    "--only-binary=:all:",
    "--dest",
    scratch,
    SCHEMAS_PACKAGE,
  ];
  await command("python3", download);
  const wheel = readdirSync(scratch).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new Error(`pip has downloaded no wheel of ${SCHEMAS_PACKAGE}.`);
  await command("python3", ["-c", UNPACK, join(scratch, wheel), scratch, ...versions]);
  for (const version of versions) {
    const from = join(scratch, "kubernetes_validate", "kubernetes-json-schema", version);
    const to = join(folder, "schemas", "kubernetes", version.replace("-local", "-standalone"));
    rmSync(to, { recursive: true, force: true });
    mkdirSync(to, { recursive: true });
    const { $defs }: Definitions = JSON.parse(readFileSync(join(from, SHARED), "utf8"));
    for (const name of readdirSync(from).filter((one) => one !== SHARED))
      writeFileSync(join(to, name), alone(readFileSync(join(from, name), "utf8"), $defs));
  }
}

type Definitions = Readonly<{ $defs: Readonly<Record<string, unknown>> }>;

/** The schema with the definitions that it needs and no others: no reference leads out of the file, and a check reads what it uses. */
function alone(text: string, all: Definitions["$defs"]): string {
  // An id that is a web address would make every reference a download.
  const { $id: _, ...schema } = JSON.parse(text);
  const needed: Record<string, unknown> = {};
  const take = (part: unknown): void => {
    for (const [, name = ""] of JSON.stringify(part).matchAll(REFERENCE)) {
      if (name in needed) continue;
      needed[name] = all[name];
      take(all[name]);
    }
  };
  take(schema);
  return JSON.stringify({ ...schema, $defs: needed }).replaceAll(`/api/${SHARED}#/`, "#/");
}
