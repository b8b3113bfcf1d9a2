import { type KubernetesObject, type PodSpec, type Volume, type Workload, workloadsOf } from "./objects.ts";

/** A pod as a controller makes it. */
export type Pod = Readonly<{
  name: string;
  address: string;
  /** Of the workload's service, through which the pod has a name of its own. */
  subdomain: string | undefined;
  component: string;
  labels: Readonly<Record<string, string>>;
  spec: PodSpec;
}>;

const COMPONENT = "app.kubernetes.io/component";

/** The pods of all Deployments and StatefulSets, each with the next of the addresses. */
export function podsOf(objects: readonly KubernetesObject[], addressOf: (index: number) => string): readonly Pod[] {
  const pods: Pod[] = [];
  for (const workload of workloadsOf(objects))
    for (let ordinal = 0; ordinal < (workload.spec.replicas ?? 1); ordinal++)
      pods.push(podOf(workload, ordinal, addressOf(pods.length)));
  return pods;
}

function podOf({ kind, metadata, spec }: Workload, ordinal: number, address: string): Pod {
  const { labels = {} } = spec.template.metadata ?? {};
  const isStateful = kind === "StatefulSet";
  const claims = (spec.volumeClaimTemplates ?? []) as readonly (Volume & { metadata?: { name: string } })[];
  const claimed = claims.map(({ metadata: claim }): Volume => ({ name: claim?.name ?? "", persistentVolumeClaim: {} }));
  const numbered = isStateful ? { "apps.kubernetes.io/pod-index": String(ordinal) } : {};
  return {
    name: isStateful ? `${metadata.name}-${ordinal}` : `${metadata.name}-5d8f7c9b64-${ordinal}`,
    address,
    subdomain: isStateful ? spec.serviceName : undefined,
    component: labels[COMPONENT] ?? metadata.name,
    labels: { ...labels, ...numbered },
    spec: { ...spec.template.spec, volumes: [...(spec.template.spec.volumes ?? []), ...claimed] },
  };
}
