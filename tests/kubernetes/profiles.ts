import { join } from "node:path";
import type { Bed } from "./bed.ts";
import { READY_MS_MAX } from "./limits.ts";
import { untilNothing } from "./poll.ts";
import { provideVolumes } from "./volumes.ts";
import { missingPods, type Pod, podsOf } from "./workloads.ts";

/** A values file for GPUs, the nodes of eight GPUs that it is made for, and how many of these GPUs it may use. */
export type Profile = Readonly<{ name: string; nodeCount: number; gpuCount: number }>;

export const PROFILES: readonly Profile[] = [
  { name: "maverick-8xh100", nodeCount: 1, gpuCount: 8 },
  { name: "maverick-8xh200", nodeCount: 1, gpuCount: 8 },
  { name: "maverick-2xh200", nodeCount: 1, gpuCount: 2 },
  { name: "maverick-2x8xh100-1m", nodeCount: 2, gpuCount: 16 },
  { name: "scout-h100", nodeCount: 1, gpuCount: 1 },
  { name: "scout-h200", nodeCount: 1, gpuCount: 1 },
];

/** These nodes have no NVIDIA runtime. */
const NO_CLASS = ["--set", "workerDefaults.runtimeClassName="];
const GPU = "nvidia.com/gpu";
const GPUS_PER_NODE = 8;

/**
 * Installs a profile on just the nodes that its name tells of, beside two without GPUs: every pod is scheduled and runs, together they ask
 * for as many GPUs as there are for them, and pods that compute nothing ask for none.
 */
export async function profileFits(bed: Bed, chart: string, profile: Profile, signal: AbortSignal): Promise<string> {
  const { name, nodeCount, gpuCount } = profile;
  const namespace = name;
  await bed.script("nodes.sh", [String(nodeCount), String(GPUS_PER_NODE), "gpu"]);
  try {
    const values = join(chart, `values-${name}.yaml`);
    await bed.helm("install", "drover", chart, "-n", namespace, "--create-namespace", "-f", values, ...NO_CLASS);
    await untilNothing(
      async () => {
        await provideVolumes(bed, namespace);
        return missingPods(bed, namespace);
      },
      { withinMs: READY_MS_MAX, signal },
    );
    return counted(await podsOf(bed, namespace), gpuCount);
  } finally {
    await bed.helm("uninstall", "drover", "-n", namespace, "--wait", "--ignore-not-found");
    await bed.kubectl("delete", "namespace", namespace, "--wait=true", "--ignore-not-found");
    await bed.kubectl("delete", "node", "-l", "nvidia.com/gpu.present=true");
  }
}

function counted(pods: readonly Pod[], gpuCount: number): string {
  const asking = pods.filter((pod) => gpusOf(pod) > 0);
  const strangers = asking.filter(({ metadata }) => metadata.labels?.["drover.dev/worker"] !== "true");
  if (strangers.length > 0)
    throw new Error(`${strangers.map(({ metadata }) => metadata.name).join(", ")} ask for GPUs`);
  const total = asking.reduce((sum, pod) => sum + gpusOf(pod), 0);
  if (total !== gpuCount) throw new Error(`the pods ask for ${total} GPUs, and ${gpuCount} are for them`);
  const homeless = pods.filter(({ spec }) => spec.nodeName === undefined);
  if (homeless.length > 0) throw new Error(`${homeless.map(({ metadata }) => metadata.name).join(", ")} have no node`);
  return `${pods.length} pods run, ${asking.length} of them with ${total} GPUs together`;
}

/** Requests and limits of a GPU are one number, or the API would have refused the pod. */
const gpusOf = ({ spec }: Pod): number =>
  spec.containers.reduce((sum, { resources }) => sum + Number(resources.requests?.[GPU] ?? 0), 0);
