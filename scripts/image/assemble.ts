import { chmodSync, cpSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { closureOf } from "./closure.ts";
import { layOut } from "./layout.ts";
import { nameLibcAlone } from "./native.ts";
import { copyPackages, notices } from "./packages.ts";
import { readManifest, shippedProjects, writeProject } from "./projects.ts";

export type Assembled = Readonly<{ fileCount: number; byteCount: number; packageCount: number }>;

/**
 * Writes everything that an image holds into the folder `image`, which is emptied first: Drover's JavaScript, the packages that it needs in
 * production, the shipped model, licences. Needs installed packages and runs on Node >= 20. Throws when something is missing.
 */
export function assembleImage(root: string, image: string): Assembled {
  rmSync(image, { recursive: true, force: true });
  mkdirSync(join(image, "bin"), { recursive: true });
  const projects = shippedProjects(root);
  for (const project of projects) writeProject(project, image);

  const layout = layOut(closureOf(projects));
  copyPackages(layout, image);
  nameLibcAlone(join(image, "node_modules"));
  writeFileSync(join(image, "NOTICES"), notices(layout));

  const { name, version, license } = readManifest(root);
  writeFileSync(join(image, "package.json"), `${JSON.stringify({ name, version, license, type: "module" })}\n`);
  cpSync(join(root, "LICENSE"), join(image, "LICENSE"));
  cpSync(join(root, "models", "nano"), join(image, "models", "nano"), { recursive: true });
  const programs = join(root, "scripts", "image");
  cpSync(join(programs, "compat.js"), join(image, "compat.js"));
  for (const file of ["drover.js", "ready.js"]) cpSync(join(programs, file), join(image, "bin", file));
  return { ...settle(image), packageCount: layout.size };
}

/** Everybody may read everything, whatever this user's umask says; counts on the way. */
function settle(folder: string): { fileCount: number; byteCount: number } {
  chmodSync(folder, 0o755);
  let fileCount = 0;
  let byteCount = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const below = settle(path);
      fileCount += below.fileCount;
      byteCount += below.byteCount;
    } else {
      chmodSync(path, 0o644);
      fileCount++;
      byteCount += statSync(path).size;
    }
  }
  return { fileCount, byteCount };
}
