import { type GateResult, repository, runTool } from "./gates/gate.ts";
import { findProjects } from "./gates/projects.ts";

/** Runs nx without its daemon, without a process for each of its plugins, and without colours, as what it says is kept. */
export function runNx(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<GateResult> {
  const settings = { NX_DAEMON: "false", NX_ISOLATE_PLUGINS: "false", FORCE_COLOR: "0", ...env };
  return runTool("nx", args, repository, settings);
}

/**
 * The folders of the libraries and apps that have changed since they left `main`, committed or not, and of those that depend on them, as
 * nx finds them. Throws an Error with what nx says where it cannot tell.
 */
export async function affectedFolders(): Promise<string[]> {
  const { ok, output } = await runNx(["show", "projects", "--affected", "--json"]);
  if (!ok) throw new Error(`nx cannot tell what is affected:\n${output}`);
  const names: readonly string[] = JSON.parse(output);
  return findProjects(repository)
    .filter((project) => names.includes(project.name))
    .map((project) => `${project.folder}/`);
}
