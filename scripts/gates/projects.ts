import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A folder with a package.json, and what its `nx.tags` say. */
export type Project = Readonly<{ folder: string; name: string; layer: number; pure: boolean }>;

/** All projects under `apps/` and `libs/`. Throws when one has no `layer:N` tag. */
export function findProjects(root: string): Project[] {
  return ["libs", "apps"].flatMap((group) =>
    existsSync(join(root, group))
      ? readdirSync(join(root, group))
          .map((name) => join(group, name))
          .filter((folder) => existsSync(join(root, folder, "package.json")))
          .map((folder) => readProject(root, folder))
      : [],
  );
}

function readProject(root: string, folder: string): Project {
  const file = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const tags: readonly string[] = file.nx?.tags ?? [];
  const layer = tags.find((tag) => /^layer:\d+$/.test(tag));
  if (layer === undefined) throw new Error(`${folder}/package.json has no nx tag such as "layer:2"`);
  return { folder, name: file.name, layer: Number(layer.slice("layer:".length)), pure: tags.includes("pure") };
}
