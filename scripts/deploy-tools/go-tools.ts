import { join } from "node:path";
import { command } from "../command.ts";
import { KUBERNETES_VERSIONS } from "./versions.ts";

// One Go module (go.mod) names all programs, so that what they share is compiled once and go.sum has the hash of every source.
const PACKAGES = [
  "helm.sh/helm/v3/cmd/helm",
  "github.com/yannh/kubeconform/cmd/kubeconform",
  "github.com/helm-unittest/helm-unittest/cmd/helm-unittest",
];

/** Builds `bin/helm`, `bin/kubeconform` and `bin/helm-unittest` in the folder. Throws an Error that says what is missing. */
export async function buildGoTools(folder: string): Promise<void> {
  const { Version: version } = await goModule("helm.sh/helm/v3");
  // Built without its release scripts, helm takes every cluster for Kubernetes 1.20, which the chart refuses.
  const minor = KUBERNETES_VERSIONS.at(-1)?.split(".")[1];
  const helm = "helm.sh/helm/v3";
  const values = {
    [`${helm}/internal/version.version`]: version,
    [`${helm}/pkg/chartutil.k8sVersionMajor`]: "1",
    [`${helm}/pkg/chartutil.k8sVersionMinor`]: minor,
    [`${helm}/pkg/lint/rules.k8sVersionMinor`]: minor,
  };
  const linked = Object.entries(values).map(([name, value]) => `-X ${name}=${value}`);
  await go([
    "build",
    "-trimpath",
    "-ldflags",
    `-s -w ${linked.join(" ")}`,
    "-o",
    `${join(folder, "bin")}/`,
    ...PACKAGES,
  ]);
}

type GoModule = Readonly<{ Version: string }>;

async function goModule(path: string): Promise<GoModule> {
  return JSON.parse(await go(["list", "-m", "-json", path]));
}

async function go(args: readonly string[]): Promise<string> {
  const env = { CGO_ENABLED: "0", GOFLAGS: "-buildvcs=false -mod=readonly" };
  return command("go", args, { cwd: import.meta.dirname, env: { ...process.env, ...env } }).catch((error: Error) => {
    throw new Error(`Go 1.26 or newer is needed (https://go.dev/dl). ${error.message}`);
  });
}
