import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Manifest, type OwnProject, readManifest } from "./projects.ts";

/** A package from the registry: where it is installed (real and absolute), and what it depends on. */
export type Package = Readonly<{ folder: string; manifest: Manifest; dependencies: readonly Package[] }>;

/**
 * The packages that the projects' own dependencies name, each with all that it leads to; a package is one object, however many need it.
 * Throws for one that is not installed.
 */
export function closureOf(projects: readonly OwnProject[]): Package[] {
  const known = new Map<string, { folder: string; manifest: Manifest; dependencies: Package[] }>();
  const visit = (folder: string): Package => {
    const before = known.get(folder);
    if (before !== undefined) return before;
    const found = { folder, manifest: readManifest(folder), dependencies: [] as Package[] };
    known.set(folder, found);
    // A package lies beside what it depends on: .../node_modules/{package,dependency}, or with a scope one folder deeper.
    const beside = found.manifest.name.startsWith("@") ? dirname(dirname(folder)) : dirname(folder);
    for (const place of dependencyFolders(beside, found.manifest)) found.dependencies.push(visit(place));
    return found;
  };
  const own = new Set(projects.map(({ manifest }) => manifest.name));
  const roots = projects.flatMap(({ folder, manifest }) =>
    Object.keys(manifest.dependencies ?? {})
      .filter((name) => !own.has(name))
      .map((name) => visit(realpathSync(join(folder, "node_modules", name)))),
  );
  return [...new Set(roots)];
}

/** Optional ones, such as binaries of other systems, may be absent. */
function dependencyFolders(beside: string, { name, dependencies = {}, optionalDependencies = {} }: Manifest): string[] {
  const folders = Object.keys(dependencies).map((dependency) => {
    const folder = join(beside, dependency);
    if (existsSync(folder)) return realpathSync(folder);
    if (dependency in optionalDependencies) return undefined;
    throw new Error(`${name} needs ${dependency}, which is not installed.`);
  });
  const optional = Object.keys(optionalDependencies)
    .map((dependency) => join(beside, dependency))
    .filter((folder) => existsSync(folder))
    .map((folder) => realpathSync(folder));
  return [...new Set([...folders, ...optional])].filter((folder) => folder !== undefined);
}
