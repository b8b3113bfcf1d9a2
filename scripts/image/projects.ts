import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, extname, join, relative } from "node:path";
import { type Transpiled, transpile } from "./transpile.ts";

/** What a package.json says that matters here. */
export type Manifest = Readonly<{
  name: string;
  version: string;
  license?: string;
  engines?: Readonly<Record<string, string>>;
  os?: readonly string[];
  dependencies?: Readonly<Record<string, string>>;
  optionalDependencies?: Readonly<Record<string, string>>;
}>;

/** One of Drover's own projects: where it is (absolute), and where in the image (relative). */
export type OwnProject = Readonly<{ folder: string; target: string; manifest: Manifest }>;

const NOT_SHIPPED = new Set(["node_modules", "testing", "testdata"]);

export const readManifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** The apps, and every library that they need, by their package.json files. */
export function shippedProjects(root: string): OwnProject[] {
  const libraries = new Map(
    readdirSync(join(root, "libs"))
      .map((name) => join(root, "libs", name))
      .map((folder) => [readManifest(folder).name, folder] as const),
  );
  const apps = readdirSync(join(root, "apps")).map((name): OwnProject => {
    const folder = join(root, "apps", name);
    return { folder, target: join("apps", name), manifest: readManifest(folder) };
  });
  const projects = new Map(apps.map((app) => [app.manifest.name, app]));
  for (const { manifest } of projects.values()) {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      const folder = libraries.get(name);
      if (folder === undefined || projects.has(name)) continue;
      projects.set(name, { folder, target: join("node_modules", name), manifest: readManifest(folder) });
    }
  }
  return [...projects.values()];
}

/** Writes a project's package.json, assets, and the JavaScript of all sources that its index or main leads to, below `image`. */
export function writeProject({ folder, target, manifest }: OwnProject, image: string): void {
  const { name, version } = manifest;
  const shipped = { name, version, license: manifest.license, type: "module", exports: "./src/index.js" };
  write(join(image, target, "package.json"), `${JSON.stringify(shipped, undefined, 2)}\n`);
  const main = join(folder, "src", "main.ts");
  const compiled = compile(existsSync(main) ? main : join(folder, "src", "index.ts"), folder);
  const programs = new Set([main, ...[...compiled.values()].flatMap(({ programs }) => programs)]);
  const placeOf = (file: string) => join(image, target, relative(folder, file));
  for (const [file, { code }] of compiled) {
    const place = placeOf(file).replace(/\.ts$/, ".js");
    const compat = relative(dirname(place), join(image, "compat.js"));
    write(place, programs.has(file) ? `import "${compat}";\n${code}` : code);
  }
  for (const file of assets(join(folder, "src"))) cpSync(file, placeOf(file));
}

/** The source and all others of its project that it leads to. */
function compile(entry: string, folder: string): Map<string, Transpiled> {
  const compiled = new Map<string, Transpiled>();
  const waiting = [entry];
  for (const file of waiting) {
    if (compiled.has(file) || !file.startsWith(folder)) continue;
    const result = transpile(file, readFileSync(file, "utf8"));
    compiled.set(file, result);
    waiting.push(...result.named);
  }
  return compiled;
}

/** Files that are no sources, such as shell scripts. */
function assets(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !NOT_SHIPPED.has(name))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return assets(path);
      return extname(path) === ".ts" ? [] : [path];
    });
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
