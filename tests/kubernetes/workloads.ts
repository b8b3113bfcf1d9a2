import type { Bed } from "./bed.ts";

type Status = Readonly<{
  observedGeneration?: number;
  readyReplicas?: number;
  updatedReplicas?: number;
  replicas?: number;
}>;
type Workload = Readonly<{
  kind: string;
  metadata: Readonly<{ name: string; generation: number }>;
  spec: Readonly<{ replicas: number }>;
  status: Status;
}>;
export type Pod = Readonly<{
  metadata: Readonly<{
    name: string;
    uid: string;
    deletionTimestamp?: string;
    labels?: Readonly<Record<string, string>>;
  }>;
  spec: Readonly<{ nodeName?: string; containers: readonly Readonly<{ image: string; resources: PodResources }>[] }>;
  status: Readonly<{
    phase: string;
    conditions?: readonly Readonly<{ type: string; status: string; message?: string }>[];
    containerStatuses?: readonly Readonly<{ restartCount: number; containerID?: string }>[];
  }>;
}>;
type Amounts = Readonly<Record<string, string>>;
type PodResources = Readonly<{ requests?: Amounts; limits?: Amounts }>;

export async function list<T>(bed: Bed, namespace: string, ...args: string[]): Promise<readonly T[]> {
  return (JSON.parse(await bed.kubectl("-n", namespace, "get", ...args, "-o", "json")) as { items: readonly T[] })
    .items;
}

/** The pods of a component (`router`, `scheduler`, `redis`, `worker-NAME`), or all. */
export function podsOf(bed: Bed, namespace: string, component?: string): Promise<readonly Pod[]> {
  const selector = component === undefined ? "app.kubernetes.io/instance" : `app.kubernetes.io/component=${component}`;
  return list<Pod>(bed, namespace, "pods", "-l", selector);
}

/** Undefined when every Deployment and StatefulSet has all its pods, new and ready, and no pod is on its way out; else what is missing. */
export async function missingPods(bed: Bed, namespace: string): Promise<string | undefined> {
  const workloads = await list<Workload>(bed, namespace, "deployments,statefulsets");
  if (workloads.length === 0) return "no Deployment and no StatefulSet is there";
  const lacking = workloads.filter(
    ({ metadata, spec, status }) =>
      status.observedGeneration !== metadata.generation ||
      (status.readyReplicas ?? 0) !== spec.replicas ||
      (status.updatedReplicas ?? 0) !== spec.replicas,
  );
  if (lacking.length > 0) {
    return lacking
      .map(
        ({ metadata, spec, status }) =>
          `${metadata.name} has ${status.readyReplicas ?? 0} of ${spec.replicas} pods ready`,
      )
      .join("; ");
  }
  const leaving = (await podsOf(bed, namespace)).filter(({ metadata }) => metadata.deletionTimestamp !== undefined);
  return leaving.length === 0 ? undefined : `${leaving.map(({ metadata }) => metadata.name).join(", ")} not gone yet`;
}

export const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
