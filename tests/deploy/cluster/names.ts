import { NAMESPACE } from "./container.ts";
import { type KubernetesObject, type Service, selects, servicesOf } from "./objects.ts";
import type { Pod } from "./pods.ts";

const DOMAIN = "svc.cluster.local";

/**
 * What the cluster's DNS would answer, as lines of /etc/hosts: Services, and a StatefulSet's pods below their headless Service. A cluster
 * address is the addresses of the pods behind it, so a Service's port must be the pods' own; throws an Error where it is not.
 */
export function hostsFile(objects: readonly KubernetesObject[], pods: readonly Pod[]): string {
  const lines = ["127.0.0.1 localhost"];
  for (const service of servicesOf(objects)) {
    const behind = pods.filter(({ labels }) => selects(service.spec.selector, labels));
    const isHeadless = service.spec.clusterIP === "None";
    for (const pod of behind) {
      if (!isHeadless)
        for (const { port, targetPort } of service.spec.ports) sameNumber(service, pod, port, targetPort ?? port);
      lines.push(`${pod.address} ${namesOf(service.metadata.name)}`);
      if (isHeadless && pod.subdomain === service.metadata.name)
        lines.push(`${pod.address} ${namesOf(`${pod.name}.${service.metadata.name}`)}`);
    }
  }
  return `${lines.join("\n")}\n`;
}

function namesOf(name: string): string {
  return [name, `${name}.${NAMESPACE}`, `${name}.${NAMESPACE}.svc`, `${name}.${NAMESPACE}.${DOMAIN}`].join(" ");
}

function sameNumber({ metadata }: Service, pod: Pod, port: number, targetPort: string | number): void {
  const target = portNumber(pod, targetPort);
  if (target !== port)
    throw new Error(`Service ${metadata.name} leads from ${port} to ${target}: only one number can be had here`);
}

/** A port by its number, or by the name that a container of the pod gives it. Throws an Error where none does. */
export function portNumber(pod: Pod, port: string | number): number {
  if (typeof port === "number") return port;
  const named = pod.spec.containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === port);
  if (named === undefined) throw new Error(`${pod.name} has no port named ${port}`);
  return named.containerPort;
}
