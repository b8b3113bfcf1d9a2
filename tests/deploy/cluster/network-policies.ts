import { type KubernetesObject, type PodSpec, selects } from "./objects.ts";

type Labels = Readonly<Record<string, string>>;
type Selector = Readonly<{ matchLabels?: Labels; matchExpressions?: unknown }>;
type PolicyPort = Readonly<{ port?: number | string; endPort?: number; protocol?: string }>;
type Peer = Readonly<{ podSelector?: Selector; namespaceSelector?: Selector; ipBlock?: Readonly<{ cidr: string }> }>;
/** Without ports it is for all of them, without peers for everybody. */
export type Rule = Readonly<{ ports?: readonly PolicyPort[]; from?: readonly Peer[]; to?: readonly Peer[] }>;

export type NetworkPolicy = Readonly<{
  kind: "NetworkPolicy";
  metadata: Readonly<{ name: string }>;
  spec: Readonly<{
    podSelector: Selector;
    policyTypes?: readonly string[];
    ingress?: readonly Rule[];
    egress?: readonly Rule[];
  }>;
}>;

/** One end of a connection, as policies know it: a pod of the release's namespace, or something outside of it. */
export type End = Readonly<{ labels: Labels; spec?: PodSpec; isOutside: boolean }>;

export type Way = Readonly<{ from: End; to: End; port: number; protocol: "TCP" | "UDP" }>;

export const policiesOf = (objects: readonly KubernetesObject[]): readonly NetworkPolicy[] =>
  objects.filter(({ kind }) => kind === "NetworkPolicy") as readonly unknown[] as readonly NetworkPolicy[];

/** What policies say of a way at its two ends: both must allow it. An end that no policy selects allows everything. */
export function allows(policies: readonly NetworkPolicy[], way: Way): Readonly<{ ingress: boolean; egress: boolean }> {
  return {
    ingress: way.to.isOutside || allowsAt("Ingress", policies, way.to, way.from, way),
    egress: way.from.isOutside || allowsAt("Egress", policies, way.from, way.to, way),
  };
}

function allowsAt(
  direction: "Ingress" | "Egress",
  all: readonly NetworkPolicy[],
  own: End,
  other: End,
  way: Way,
): boolean {
  const policies = all.filter(({ spec }) => typesOf(spec).includes(direction) && matches(spec.podSelector, own.labels));
  if (policies.length === 0) return true;
  const rules = policies.flatMap(({ spec }) => (direction === "Ingress" ? spec.ingress : spec.egress) ?? []);
  return rules.some((rule) => {
    const peers = direction === "Ingress" ? rule.from : rule.to;
    return (
      (peers?.some((peer) => isPeer(peer, other)) ?? true) && (rule.ports?.some((port) => isPort(port, way)) ?? true)
    );
  });
}

/** Without types a policy is for ingress, and for egress where it has rules for it. */
function typesOf({ policyTypes, egress }: NetworkPolicy["spec"]): readonly string[] {
  return policyTypes ?? (egress === undefined ? ["Ingress"] : ["Ingress", "Egress"]);
}

function isPeer({ podSelector, namespaceSelector, ipBlock }: Peer, { labels, isOutside }: End): boolean {
  if (ipBlock !== undefined || namespaceSelector !== undefined)
    throw new Error("only pods of the release's own namespace are known as peers here");
  return podSelector !== undefined && !isOutside && matches(podSelector, labels);
}

function isPort({ port, endPort, protocol = "TCP" }: PolicyPort, way: Way): boolean {
  if (protocol !== way.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === "number") return way.port >= port && way.port <= (endPort ?? port);
  const ports = way.to.spec?.containers.flatMap((container) => container.ports ?? []) ?? [];
  return ports.some(({ name, containerPort }) => name === port && containerPort === way.port);
}

function matches({ matchLabels = {}, matchExpressions }: Selector, labels: Labels): boolean {
  if (matchExpressions !== undefined) throw new Error("matchExpressions are not known here");
  return selects(matchLabels, labels);
}

/** Every port that a policy names. */
export function portsNamed(policies: readonly NetworkPolicy[]): readonly number[] {
  const rules = policies.flatMap(({ spec }) => [...(spec.ingress ?? []), ...(spec.egress ?? [])]);
  const ports = rules.flatMap(({ ports = [] }) => ports.flatMap(({ port, endPort }) => [port, endPort]));
  return [...new Set(ports.filter((port) => typeof port === "number"))];
}
