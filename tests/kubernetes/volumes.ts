import type { Bed } from "./bed.ts";
import { list } from "./workloads.ts";

type Claim = Readonly<{
  metadata: Readonly<{ name: string }>;
  spec: Readonly<{
    storageClassName?: string;
    accessModes: readonly string[];
    resources: Readonly<{ requests: Readonly<{ storage: string }> }>;
  }>;
  status: Readonly<{ phase?: string }>;
}>;
type PodVolumes = Readonly<{
  spec: Readonly<{ volumes?: readonly Readonly<{ persistentVolumeClaim?: Readonly<{ claimName: string }> }>[] }>;
}>;

const MODEL_SIZE = "1Ti";

/** Plays the administrator and the storage of a cluster: every claim that a pod names exists, and every claim has a volume. */
export async function provideVolumes(bed: Bed, namespace: string): Promise<void> {
  const pods = await list<PodVolumes>(bed, namespace, "pods");
  const claims = await list<Claim>(bed, namespace, "persistentvolumeclaims");
  const known = new Set(claims.map(({ metadata }) => metadata.name));
  const named = pods.flatMap(({ spec }) => spec.volumes ?? []).map((volume) => volume.persistentVolumeClaim?.claimName);
  for (const name of new Set(named)) {
    if (name === undefined || known.has(name)) continue;
    await apply(bed, claim(namespace, name));
  }
  for (const { metadata, spec, status } of await list<Claim>(bed, namespace, "persistentvolumeclaims")) {
    if (status.phase !== "Bound") await apply(bed, volume(namespace, metadata.name, spec));
  }
}

const claim = (namespace: string, name: string) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace },
  spec: { storageClassName: "", accessModes: ["ReadWriteMany"], resources: { requests: { storage: MODEL_SIZE } } },
});

const volume = (namespace: string, name: string, spec: Claim["spec"]) => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: `${namespace}-${name}` },
  spec: {
    capacity: spec.resources.requests,
    accessModes: spec.accessModes,
    storageClassName: spec.storageClassName ?? "",
    claimRef: { namespace, name },
    hostPath: { path: "/made-up" },
  },
});

async function apply(bed: Bed, object: object): Promise<void> {
  await bed.inside("sh", ["-c", 'printf %s "$1" | kubectl apply -f -', "sh", JSON.stringify(object)]);
}
