import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cruise, type IForbiddenRuleType } from "dependency-cruiser";
import type { Gate, GateResult } from "./gate.ts";
import { findProjects, type Project } from "./projects.ts";

/** Specs and what only they use may reach up to the test kit. */
const TEST_FILES = "(\\.spec\\.ts$|/testing/)";
const TEST_KIT = "^libs/testkit/";

/** Neighbours within one layer, one way only: the table of docs/ARCHITECTURE.md names each with its reason. */
const NEIGHBOURS: Readonly<Record<string, readonly string[]>> = {
  "libs/chat": ["libs/tokenizer"],
  "libs/queue": ["libs/rpc", "libs/wire"],
  "libs/process": ["libs/rpc"],
  "libs/onnx": ["libs/checkpoint"],
  "libs/cuda": ["libs/checkpoint"],
};

/**
 * A project imports only projects of lower layers (`nx.tags` in package.json) and its named neighbours, only through their index.ts, and only what its own
 * package.json names; there are no cycles.
 */
export const boundaries: Gate = {
  name: "boundaries",
  remedy:
    "The table of layers is in docs/ARCHITECTURE.md. What two layers need belongs to the lower one; what a lower layer needs of a higher one is a port in libs/core.",
  check,
};

async function check(root: string): Promise<GateResult> {
  const projects = findProjects(root);
  const before = process.cwd();
  // The cruiser names files relative to the working directory.
  process.chdir(root);
  try {
    const folders = projects.map((project) => `${project.folder}/src`);
    const { output, exitCode } = await cruise(
      folders,
      {
        validate: true,
        ruleSet: { forbidden: rulesFor(projects) },
        outputType: "err-long",
        tsPreCompilationDeps: true,
        doNotFollow: { path: "node_modules" },
        exclude: { path: "/gen/" },
        moduleSystems: ["es6"],
      },
      { conditionNames: ["@drover/source", "import", "node", "types", "default"], exportsFields: ["exports"] },
      { tsConfig: JSON.parse(readFileSync(join(root, "tsconfig.json"), "utf8")) },
    );
    return { ok: exitCode === 0, output: String(output) };
  } finally {
    process.chdir(before);
  }
}

function rulesFor(projects: readonly Project[]): IForbiddenRuleType[] {
  const perProject = projects.flatMap((project): IForbiddenRuleType[] => {
    const own = `^${project.folder}/`;
    const paths = projects
      .filter((other) => other.folder !== project.folder && other.layer >= project.layer)
      .filter((other) => !NEIGHBOURS[project.folder]?.includes(other.folder))
      .map((other) => `^${other.folder}/`);
    if (paths.length === 0) return [];
    const source = {
      severity: "error",
      name: `${project.folder}-imports-only-lower-layers`,
      comment: "Move what is needed to a lower layer, or take it through a port of libs/core.",
    } as const;
    return [
      { ...source, from: { path: own, pathNot: TEST_FILES }, to: { path: paths } },
      { ...source, from: { path: `${own}.*${TEST_FILES}` }, to: { path: paths, pathNot: TEST_KIT } },
    ];
  });
  return [
    ...perProject,
    {
      name: "a-project-is-entered-by-its-index",
      comment: "Import the project by its name, and export what is needed from its src/index.ts.",
      severity: "error",
      from: { path: "^(apps|libs)/([^/]+)/" },
      to: { path: "^(apps|libs)/[^/]+/", pathNot: ["^$1/$2/", "^libs/[^/]+/src/index\\.ts$"] },
    },
    {
      name: "no-cycles",
      severity: "error",
      comment: "Move what both files need into a third one.",
      from: {},
      to: { circular: true },
    },
    {
      name: "resolvable",
      severity: "error",
      comment: "Name the file with its ending, or add the package to package.json and run pnpm install.",
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: "declared-in-package-json",
      comment: "Add the package to the dependencies of the project that imports it.",
      severity: "error",
      from: { pathNot: TEST_FILES },
      to: { dependencyTypes: ["npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "production-code-needs-no-development-packages",
      comment: "Move the package from devDependencies to dependencies.",
      severity: "error",
      from: { pathNot: TEST_FILES },
      to: { dependencyTypes: ["npm-dev"] },
    },
  ];
}
