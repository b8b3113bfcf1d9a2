import { answeredText, ask } from "./ask.ts";
import type { Bed } from "./bed.ts";
import { HEAL_MS_MAX, READY_MS_MAX } from "./limits.ts";
import { untilNothing } from "./poll.ts";
import { isReady, missingPods, type Pod, podsOf } from "./workloads.ts";

export type Blow = "kill -9" | "delete";

/** Its process is killed as the kernel kills one, or the pod is deleted without any time to drain. */
async function strike(bed: Bed, namespace: string, pod: Pod, blow: Blow): Promise<void> {
  if (blow === "delete") {
    await bed.kubectl(
      "-n",
      namespace,
      "delete",
      "pod",
      pod.metadata.name,
      "--grace-period=0",
      "--force",
      "--wait=false",
    );
    return;
  }
  const [container] = pod.status.containerStatuses ?? [];
  const id = container?.containerID?.replace(/^containerd:\/\//, "");
  if (id === undefined) throw new Error(`${pod.metadata.name} has no container`);
  await bed.inside("ctr", ["--namespace", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", id]);
}

const restartCount = (pod: Pod): number => pod.status.containerStatuses?.[0]?.restartCount ?? 0;

/**
 * Strikes one pod of a component and waits until a prompt is answered rightly over HTTP and gRPC, and until every pod is ready again. Throws
 * when that takes longer than HEAL_MS_MAX, or when the answer is a wrong one.
 */
export async function heals(
  bed: Bed,
  namespace: string,
  component: string,
  blow: Blow,
  signal: AbortSignal,
  choose: (pods: readonly Pod[]) => Promise<Pod | undefined> = async ([first]) => first,
): Promise<string> {
  await untilNothing(() => missingPods(bed, namespace), { withinMs: READY_MS_MAX, signal });
  const victim = await choose(await podsOf(bed, namespace, component));
  if (victim === undefined) throw new Error(`there is no pod of ${component}`);
  const beganMs = performance.now();
  await strike(bed, namespace, victim, blow);
  const [answered] = await Promise.all([
    ask(bed, namespace),
    untilNothing(() => notBack(bed, namespace, component, victim), { withinMs: HEAL_MS_MAX, signal }),
  ]);
  const readySeconds = ((performance.now() - beganMs) / 1000).toFixed(1);
  return `${victim.metadata.name}: ${answeredText(answered)}; every pod ready after ${readySeconds} s`;
}

/** Whether the victim's successor, the same pod with one restart more or another pod, is ready and so are all others. */
async function notBack(bed: Bed, namespace: string, component: string, victim: Pod): Promise<string | undefined> {
  const pods = await podsOf(bed, namespace, component);
  const same = pods.find(({ metadata }) => metadata.uid === victim.metadata.uid);
  if (same !== undefined && restartCount(same) === restartCount(victim)) return `${victim.metadata.name} still lives`;
  if (!pods.every(isReady)) return `a pod of ${component} is not ready`;
  return missingPods(bed, namespace);
}

/** The pod of the scheduler that leads, by its metrics. */
export async function leadingScheduler(bed: Bed, namespace: string, pods: readonly Pod[]): Promise<Pod | undefined> {
  for (const pod of pods) {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod.metadata.name}:9400/proxy/metrics`;
    const metrics = await bed.kubectl("get", "--raw", path);
    if (/^drover_scheduler_leader(\{[^}]*\})? 1$/m.test(metrics)) return pod;
  }
  throw new Error("no scheduler says that it leads");
}
