import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repository } from "../gate.ts";

const CONFIGURATION = [
  "tsconfig.json",
  "tsconfig.base.json",
  "biome.json",
  "knip.json",
  "buf.yaml",
  "buf.gen.yaml",
  "proto",
];

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const manifest = (name: string, tags: readonly string[], dependencies: readonly string[]) =>
  json({
    name: `@drover/${name}`,
    private: true,
    type: "module",
    exports: { ".": { "@drover/source": "./src/index.ts" } },
    dependencies: Object.fromEntries(dependencies.map((one) => [`@drover/${one}`, "workspace:*"])),
    nx: { tags },
  });

const CLEAN: Readonly<Record<string, string>> = {
  "package.json": json({ name: "planted", private: true, type: "module" }),
  "pnpm-workspace.yaml": "packages:\n  - apps/*\n  - libs/*\n",
  ".gitignore": "node_modules\n",
  "libs/low/package.json": manifest("low", ["layer:0", "pure"], []),
  "libs/low/src/index.ts": 'export { half } from "./half.ts";\n',
  "libs/low/src/half.ts": "export const half = (value: number): number => value / 2;\n",
  "libs/high/package.json": manifest("high", ["layer:1"], ["low"]),
  "apps/drover/package.json": manifest("app-drover", ["layer:2"], []),
  "apps/drover/src/main.ts": `process.stdout.write(process.argv[2] === "up" ? "Flags:\\n  --model DIR\\n" : "Commands:\\n  up  Runs it\\n");\n`,
  "README.md": "| `apps/drover` | the command |\n| `libs/high` | quarters |\n| `libs/low` | halves |\n",
  "docs/configuration.md": "# Configuration\n\n## drover up\n\n`--model DIR`\n",
  "libs/high/src/index.ts":
    'import { half } from "@drover/low";\n\nexport const quarter = (value: number) => half(half(value));\n',
};

/** A small workspace in a temporary folder, sound but for what `files` plants, with this repository's configuration and tools. */
export class PlantedWorkspace implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "drover-planted-"));

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const name of CONFIGURATION) cpSync(join(repository, name), join(this.root, name), { recursive: true });
    // What is generated, and the page that the generated one leads to.
    for (const kept of ["libs/proto/src/gen", "helm/drover/files/dashboards", "docs/api.md", "docs/grpc.md"])
      cpSync(join(repository, kept), join(this.root, kept), { recursive: true });
    for (const [path, text] of Object.entries({ ...CLEAN, ...files })) {
      mkdirSync(dirname(join(this.root, path)), { recursive: true });
      writeFileSync(join(this.root, path), text);
    }
    symlinkSync(join(repository, "node_modules"), join(this.root, "node_modules"));
    for (const [from, to] of [
      ["high", "low"],
      ["low", "high"],
    ] as const) {
      mkdirSync(join(this.root, "libs", from, "node_modules/@drover"), { recursive: true });
      symlinkSync(join(this.root, "libs", to), join(this.root, "libs", from, "node_modules/@drover", to));
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}
