import { parseAllDocuments } from "yaml";

type Labels = Readonly<Record<string, string>>;

export type Metadata = Readonly<{ name: string; labels?: Labels; annotations?: Labels }>;

export type EnvSource = Readonly<{
  fieldRef?: Readonly<{ fieldPath: string }>;
  secretKeyRef?: KeyRef;
  configMapKeyRef?: KeyRef;
}>;
export type KeyRef = Readonly<{ name: string; key: string; optional?: boolean }>;
export type EnvVariable = Readonly<{ name: string; value?: string; valueFrom?: EnvSource }>;

export type Probe = Readonly<{
  httpGet?: Readonly<{ path: string; port: string | number }>;
  exec?: Readonly<{ command: readonly string[] }>;
  periodSeconds?: number;
  timeoutSeconds?: number;
  failureThreshold?: number;
}>;

export type Container = Readonly<{
  name: string;
  image: string;
  command?: readonly string[];
  args?: readonly string[];
  env?: readonly EnvVariable[];
  ports?: readonly Readonly<{ name?: string; containerPort: number }>[];
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  securityContext?: Readonly<{ readOnlyRootFilesystem?: boolean }>;
  volumeMounts?: readonly Readonly<{ name: string; mountPath: string; readOnly?: boolean; subPath?: string }>[];
}>;

type Items = readonly Readonly<{ key: string; path: string }>[];
export type Volume = Readonly<{
  name: string;
  emptyDir?: unknown;
  secret?: Readonly<{ secretName: string; items?: Items }>;
  configMap?: Readonly<{ name: string; items?: Items }>;
  persistentVolumeClaim?: unknown;
}>;

export type PodSpec = Readonly<{
  containers: readonly Container[];
  volumes?: readonly Volume[];
  securityContext?: Readonly<{ runAsUser?: number; runAsGroup?: number; fsGroup?: number }>;
}>;

type PodTemplate = Readonly<{ metadata?: Readonly<{ labels?: Labels }>; spec: PodSpec }>;

/** An object of Kubernetes, as far as these tests read any. */
export type KubernetesObject = Readonly<{
  kind: string;
  metadata: Metadata;
  data?: Labels;
  stringData?: Labels;
  spec?: Readonly<Record<string, unknown>>;
}>;

export type Workload = Readonly<{
  kind: "Deployment" | "StatefulSet";
  metadata: Metadata;
  spec: Readonly<{
    replicas?: number;
    serviceName?: string;
    template: PodTemplate;
    volumeClaimTemplates?: readonly Volume[];
  }>;
}>;

export type Service = Readonly<{
  kind: "Service";
  metadata: Metadata;
  spec: Readonly<{
    clusterIP?: string;
    selector: Labels;
    ports: readonly Readonly<{ name?: string; port: number; targetPort?: string | number }>[];
  }>;
}>;

/** All objects of a stream of YAML. Throws an Error where it is none. */
export function readObjects(text: string): readonly KubernetesObject[] {
  const objects: KubernetesObject[] = [];
  for (const document of parseAllDocuments(text)) {
    if ("errors" in document && document.errors[0] !== undefined) throw document.errors[0];
    const value: KubernetesObject | null = document.toJS();
    if (value !== null) objects.push(value);
  }
  return objects;
}

export const workloadsOf = (objects: readonly KubernetesObject[]): readonly Workload[] =>
  objects.filter(
    ({ kind }) => kind === "Deployment" || kind === "StatefulSet",
  ) as readonly unknown[] as readonly Workload[];

export const servicesOf = (objects: readonly KubernetesObject[]): readonly Service[] =>
  objects.filter(({ kind }) => kind === "Service") as readonly unknown[] as readonly Service[];

/** Whether each of the selector's labels is among these. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}
