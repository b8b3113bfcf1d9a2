import type { Container, EnvVariable, KeyRef, KubernetesObject } from "./objects.ts";
import type { Pod } from "./pods.ts";

/** What an image says of its containers. */
export type ImageFacts = Readonly<{
  entrypoint: readonly string[];
  env: Readonly<Record<string, string>>;
  workingDirectory: string;
}>;

export type ContainerRun = Readonly<{
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  workingDirectory: string;
}>;

export const NAMESPACE = "default";

/** What the kubelet would start: command, arguments and environment with every reference resolved. Throws where one leads nowhere. */
export function containerRun(
  pod: Pod,
  container: Container,
  { entrypoint, env, workingDirectory }: ImageFacts,
  objects: readonly KubernetesObject[],
): ContainerRun {
  const all: Record<string, string> = { ...env, HOSTNAME: pod.name };
  for (const variable of container.env ?? []) {
    const value = variableValue(variable, pod, objects);
    if (value !== undefined) all[variable.name] = expand(value, all);
  }
  const { command = entrypoint, args = [] } = container;
  return { argv: [...command, ...args].map((text) => expand(text, all)), env: all, workingDirectory };
}

/** `$(NAME)` is a variable's value where there is one, `$$` a dollar. */
function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (found, name: string | undefined) =>
    name === undefined ? "$" : (env[name] ?? found),
  );
}

function variableValue({ name, value, valueFrom }: EnvVariable, pod: Pod, objects: readonly KubernetesObject[]) {
  if (valueFrom === undefined) return value ?? "";
  const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom;
  if (fieldRef !== undefined) return fieldOf(fieldRef.fieldPath, pod);
  if (secretKeyRef !== undefined) return keyOf("Secret", secretKeyRef, objects);
  if (configMapKeyRef !== undefined) return keyOf("ConfigMap", configMapKeyRef, objects);
  throw new Error(`${pod.name}: ${name} comes from ${Object.keys(valueFrom)}, which this harness does not know`);
}

function fieldOf(path: string, pod: Pod): string {
  if (path === "metadata.name") return pod.name;
  if (path === "metadata.namespace") return NAMESPACE;
  if (path === "status.podIP") return pod.address;
  if (path === "spec.nodeName") return "node";
  throw new Error(`${pod.name}: the field ${path} is not one that this harness knows`);
}

function keyOf(kind: "Secret" | "ConfigMap", { name, key, optional }: KeyRef, objects: readonly KubernetesObject[]) {
  const value = filesOf(kind, name, objects, optional ?? false).get(key);
  if (value === undefined && !optional) throw new Error(`${kind} ${name} has no key ${key}`);
  return value;
}

/** The keys and values of a Secret or ConfigMap. Throws where there is none of that name. */
export function filesOf(
  kind: "Secret" | "ConfigMap",
  name: string,
  objects: readonly KubernetesObject[],
  optional = false,
): ReadonlyMap<string, string> {
  const found = objects.find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined && !optional) throw new Error(`there is no ${kind} ${name}`);
  const { data = {}, stringData = {} } = found ?? {};
  const plain = Object.entries(data).map(([key, text]) => {
    return [key, kind === "Secret" ? Buffer.from(text, "base64").toString() : text] as const;
  });
  return new Map([...plain, ...Object.entries(stringData)]);
}
