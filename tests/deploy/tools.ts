import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export const REPOSITORY = join(import.meta.dirname, "../..");
const FOLDER = join(REPOSITORY, ".toolchain", "deploy");
const SCHEMAS = join(FOLDER, "schemas");

export type Tool = "helm" | "kubeconform" | "helm-unittest";
const TOOLS: readonly Tool[] = ["helm", "kubeconform", "helm-unittest"];

/** Whether the chart can be checked here: `npm run deploy-tools` has been run. In CI it is a failure when it has not. */
export const hasDeployTools = TOOLS.every((name) => existsSync(join(FOLDER, "bin", name))) && existsSync(SCHEMAS);
if (!hasDeployTools && process.env.CI) throw new Error("these tests need the tools of `npm run deploy-tools`");

/** Says why tests are left out, for a test's title. */
export const NEEDED = "needs `npm run deploy-tools`";

export type ToolResult = Readonly<{ ok: boolean; stdout: string; stderr: string }>;

/** Runs a tool in the repository's root. Its failure is a result; that it is not there is an Error. */
export async function runTool(name: Tool, args: readonly string[], input = ""): Promise<ToolResult> {
  const running = promisify(execFile)(join(FOLDER, "bin", name), args, { cwd: REPOSITORY, maxBuffer: 2 ** 26 });
  running.child.stdin?.end(input);
  return running.then(
    ({ stdout, stderr }) => ({ ok: true, stdout, stderr }),
    (error: { code?: unknown; stdout?: string; stderr?: string }) => {
      if (typeof error.code !== "number") throw error;
      return { ok: false, stdout: error.stdout ?? "", stderr: error.stderr ?? "" };
    },
  );
}

/** kubeconform's verdict on a stream of objects for a Kubernetes such as "1.30": strict, and no object without a schema. */
export function conform(objects: string, version: string): Promise<ToolResult> {
  const crd = join(SCHEMAS, "crd", "{{.Group}}/{{.ResourceKind}}_{{.ResourceAPIVersion}}.json");
  const locations = ["-schema-location", join(SCHEMAS, "kubernetes"), "-schema-location", crd];
  return runTool("kubeconform", ["-strict", "-summary", "-kubernetes-version", `${version}.0`, ...locations], objects);
}

/** Whether this machine lets us make namespaces, mounts and other users' processes, as a pod needs them. */
export function canRunPods(): boolean {
  const commands = ["ip", "chroot", "setpriv", "nsenter", "redis-server", "redis-cli"];
  const present = commands.every((name) => spawnSync("which", [name], { stdio: "ignore" }).status === 0);
  const probe = ["-n", "-m", "sh", "-c", "mount --bind / /mnt && ip link set lo up"];
  return present && process.getuid?.() === 0 && spawnSync("unshare", probe, { stdio: "ignore" }).status === 0;
}
