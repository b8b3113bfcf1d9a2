import { join } from "node:path";
import type { Package } from "./closure.ts";

/** Where each package goes, relative to the image, beginning with those in the outermost node_modules. */
export type Layout = ReadonlyMap<string, Package>;

/** Dependencies that only an installation script needs, by who names them. */
const INSTALLATION_ONLY: Readonly<Record<string, readonly string[]>> = {
  "onnxruntime-node": ["adm-zip", "global-agent"],
};

/**
 * Lays packages out as npm does: one of each name in the outermost node_modules, where everybody finds it, and another version below the
 * package that needs it. Throws when a package would find another version than its own.
 */
export function layOut(roots: readonly Package[]): Layout {
  const layout = new Map<string, Package>();
  for (const root of roots) place(layout, "", root);
  const waiting = [...layout];
  for (const [folder, dependent] of waiting) {
    for (const dependency of neededBy(dependent)) {
      const added = place(layout, folder, dependency);
      if (added !== undefined) waiting.push([added, dependency]);
    }
  }
  for (const [folder, dependent] of layout) {
    for (const dependency of neededBy(dependent)) {
      if (found(layout, folder, dependency.manifest.name) === dependency) continue;
      throw new Error(`${folder} would not find its own version of ${dependency.manifest.name}.`);
    }
  }
  return layout;
}

const neededBy = ({ manifest, dependencies }: Package): readonly Package[] =>
  dependencies.filter((dependency) => INSTALLATION_ONLY[manifest.name]?.includes(dependency.manifest.name) !== true);

/** Returns the folder, or undefined when the dependent finds the package already. */
function place(layout: Map<string, Package>, dependent: string, dependency: Package): string | undefined {
  const { name } = dependency.manifest;
  const seen = found(layout, dependent, name);
  if (seen === dependency) return undefined;
  const folder = join(seen === undefined ? "" : dependent, "node_modules", name);
  if (layout.has(folder)) throw new Error(`Two versions of ${name} are needed in ${folder}.`);
  layout.set(folder, dependency);
  return folder;
}

/** What `import name` in the folder leads to: the nearest one on the way out. */
function found(layout: Layout, folder: string, name: string): Package | undefined {
  for (let at = folder; ; at = outside(at)) {
    const here = layout.get(join(at, "node_modules", name));
    if (here !== undefined || at === "") return here;
  }
}

/** The package around: a/node_modules/b lies in a. */
function outside(folder: string): string {
  const at = folder.lastIndexOf("node_modules/");
  return at <= 0 ? "" : folder.slice(0, at - 1);
}
