import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { BUNDLE_FOLDER, BUNDLE_MARK, bundledFile, freshBundle } from "@drover/program";
import { type OutputChunk, type Plugin, rolldown } from "rolldown";
import { programs, withPrograms } from "./entries.ts";

/** Packages that bring machine code, which they look for beside their own files: they are loaded from where they are. */
const NATIVE = ["koffi", "sharp"];

/** Bundles that are kept: a process that runs may load a part of its own later. */
const KEPT = 3;

/** What each part of a bundle begins with: URLs of files of the repository, and of the bundle's programs. */
const PLACE = "__droverPlace";
const PROGRAM = "__droverProgram";

/**
 * Bundles the programs of the repository at `root` into BUNDLE_FOLDER, unless that has been done since a source changed. Own modules see the
 * `import.meta.url` of their source, so that they find the files beside it.
 */
export async function bundle(root: string): Promise<void> {
  if (freshBundle(root) !== undefined) return;
  const folder = join(root, BUNDLE_FOLDER);
  mkdirSync(folder, { recursive: true });
  const beganMs = Date.now();
  const name = createHash("sha256").update(`${process.pid} ${beganMs}`).digest("hex").slice(0, 12);
  await write(root, join(folder, name));
  const mark = join(folder, `${BUNDLE_MARK}.${name}`);
  writeFileSync(mark, `${name}\n`);
  utimesSync(mark, beganMs / 1000, beganMs / 1000);
  renameSync(mark, join(folder, BUNDLE_MARK));
  removeOld(folder);
}

async function write(root: string, target: string): Promise<void> {
  const files = programs([join(root, "apps"), join(root, "libs")]);
  const build = await rolldown({
    input: Object.fromEntries(files.map((file) => [bundledName(root, file), file])),
    cwd: root,
    platform: "node",
    resolve: { conditionNames: ["@drover/source", "import", "node", "default"] },
    external: (id) => isBuiltin(id),
    plugins: [nativePackages(), places(root)],
    logLevel: "silent",
  });
  try {
    const { output } = await build.write({
      dir: target,
      format: "esm",
      comments: false,
      entryFileNames: "[name]",
      chunkFileNames: "parts/[name]-[hash].mjs",
      codeSplitting: {
        includeDependenciesRecursively: false,
        groups: [{ name: (id) => (files.includes(id) ? null : partOf(relative(root, id))) }],
      },
      banner: ({ fileName }) => {
        const from = join(target, dirname(fileName));
        return declared(PLACE, relative(from, root)) + declared(PROGRAM, relative(from, target) || ".");
      },
    });
    holdApart(output.filter((part) => part.type === "chunk"));
  } finally {
    await build.close();
  }
}

/**
 * Throws where a part leads to a program: whoever loads the part would run that program too, and a program that waits for such a part of its own
 * would wait for itself.
 */
function holdApart(parts: readonly OutputChunk[]): void {
  const names = new Set(parts.filter((part) => part.isEntry).map((part) => part.fileName));
  for (const { fileName, imports } of parts) {
    const led = imports.find((name) => names.has(name));
    if (led !== undefined) throw new Error(`${fileName} of the bundle leads to the program ${led}`);
  }
}

/** The part that a module is in, given its path from the repository's root: its package's, its library's, or its folder's of an app. */
function partOf(path: string): string | null {
  const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
  if (name !== undefined) return name.replace("/", "-");
  const [, library] = /^libs\/([^/]+)\//.exec(path) ?? [];
  if (library !== undefined) return `lib-${library}`;
  const [, app, folder = "program"] = /^apps\/([^/]+)\/src\/(?:([^/]+)\/)?/.exec(path) ?? [];
  return app === undefined ? null : `${app}-${folder}`;
}

/** A program's file in a bundle, from the bundle's folder. */
const bundledName = (root: string, program: string): string => bundledFile("", relative(root, program));

function declared(name: string, folder: string): string {
  return `const ${name} = (path) => new URL(${JSON.stringify(`${folder}/`)} + path, import.meta.url);\n`;
}

/** Leads to native packages by their paths: a bundle has no node_modules of its own to find them in. */
function nativePackages(): Plugin {
  return {
    name: "native-packages",
    async resolveId(id, importer) {
      if (importer === undefined || !NATIVE.includes(id)) return null;
      const found = await this.resolve(id, importer, { skipSelf: true });
      // A package that is optional may be absent, and who loads it knows what to do then.
      return found === null ? { id, external: true } : { id: found.id, external: "absolute" };
    },
  };
}

/** Keeps what modules say about where they are: own ones by `import.meta`, CommonJS ones of packages by `__dirname`. */
function places(root: string): Plugin {
  return {
    name: "places",
    transform(code, id) {
      const at = (path: string) => `${PLACE}(${JSON.stringify(relative(root, path))})`;
      if (!id.startsWith(root)) return null;
      if (id.includes("/node_modules/")) {
        if (!/\b__(?:dir|file)name\b/.test(code)) return null;
        return code
          .replaceAll(/\b__dirname\b/g, `${at(dirname(id))}.pathname`)
          .replaceAll(/\b__filename\b/g, `${at(id)}.pathname`);
      }
      if (!code.includes("import.meta.")) return null;
      return withPrograms(id, code, (program) => `${PROGRAM}(${JSON.stringify(bundledName(root, program))})`)
        .replaceAll("import.meta.url", `${at(id)}.href`)
        .replaceAll("import.meta.dirname", `${at(dirname(id))}.pathname`);
    },
  };
}

function removeOld(folder: string): void {
  const made = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ path: join(folder, name), madeMs: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.madeMs - a.madeMs);
  for (const { path } of made.slice(KEPT)) if (existsSync(path)) rmSync(path, { recursive: true, force: true });
}
