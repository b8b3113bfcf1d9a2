import { allows, type End, type NetworkPolicy, portsNamed, type Way } from "./network-policies.ts";
import type { Pod } from "./pods.ts";
import type { Sockets } from "./sockets.ts";

type PodSockets = Readonly<{ pod: Pod; sockets: Sockets }>;

/** A port that no process and no policy has a use for: who may reach it may reach all. */
const UNUSED_PORT = 1;
const DNS_PORT = 53;
const ADMIN_PORT = 9400;
const API_PORTS = [8080, 50051];
/** Where pictures are that clients name by URL. */
const WEB_PORTS = [80, 443];

const OUTSIDE: End = { labels: {}, isOutside: true };
const endOf = ({ labels, spec }: Pod): End => ({ labels, spec, isOutside: false });

/** The ways that are used between components, now or within the last minute, as `FROM -> TO:PORT`. */
export function flowsOf(all: readonly PodSockets[]): ReadonlySet<string> {
  const componentAt = new Map(all.map(({ pod }) => [pod.address, pod.component]));
  const flows = all.flatMap(({ pod, sockets }) => {
    const own = pod.component;
    const incoming = sockets.accepted.map(({ from, port }) => [componentAt.get(from), own, port] as const);
    const outgoing = sockets.opened.map(({ to, port }) => [own, componentAt.get(to), port] as const);
    return [...incoming, ...outgoing];
  });
  // What leads out of the release, or comes from outside, is between no two of its components.
  return new Set(flows.flatMap(([from, to, port]) => (from && to ? [flow(from, to, port)] : [])));
}

const flow = (from: string, to: string, port: number): string => `${from} -> ${to}:${port}`;

/**
 * What is wrong between policies and a live cluster, as sentences: a way that processes use and policies forbid, or the other way around; and
 * ways out and in that are not those which are said here, one by one.
 */
export function policyFindings(
  policies: readonly NetworkPolicy[],
  all: readonly PodSockets[],
  flows: ReadonlySet<string>,
): readonly string[] {
  const components = new Map(all.map(({ pod }) => [pod.component, pod]));
  const listened = all.flatMap(({ sockets }) => [...sockets.listening]);
  const known = [DNS_PORT, ADMIN_PORT, ...API_PORTS, ...WEB_PORTS, UNUSED_PORT];
  const ports = [...new Set([...listened, ...portsNamed(policies), ...known])].sort((a, b) => a - b);
  const findings = [...all.flatMap(undeclared)];
  for (const [name, pod] of components) {
    for (const port of ports) {
      for (const [fromName, from] of components) {
        const way = { from: endOf(from), to: endOf(pod), port, protocol: "TCP" } as const;
        findings.push(...between(policies, way, flow(fromName, name, port), flows.has(flow(fromName, name, port))));
      }
      findings.push(...outwards(policies, name, pod, port), ...inwards(policies, name, pod, port));
    }
  }
  return findings;
}

/** What a pod listens on is what its manifest declares. */
function undeclared({ pod, sockets }: PodSockets): readonly string[] {
  const declared = pod.spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort));
  return [
    ...[...sockets.listening]
      .filter((port) => !declared.includes(port))
      .map((port) => `${pod.name} listens on ${port}`),
    ...declared.filter((port) => !sockets.listening.has(port)).map((port) => `${pod.name} does not listen on ${port}`),
  ];
}

/** At each of its two ends a way between components is allowed where it is used; what is open to everybody is judged by itself. */
function between(policies: readonly NetworkPolicy[], way: Way, name: string, isUsed: boolean): readonly string[] {
  const { ingress, egress } = allows(policies, way);
  const findings: string[] = [];
  if (isUsed && !ingress) findings.push(`${name} is used, and no policy lets it in`);
  if (isUsed && !egress) findings.push(`${name} is used, and no policy lets it out`);
  if (isUsed) return findings;
  const fromAnywhere = allows(policies, { ...way, from: OUTSIDE }).ingress;
  const toAnywhere = allows(policies, { ...way, to: OUTSIDE }).egress;
  if (ingress && !fromAnywhere) findings.push(`${name} is let in, and never used`);
  if (egress && !toAnywhere) findings.push(`${name} is let out, and never used`);
  if (ingress && egress) findings.push(`${name} is allowed, and never used`);
  return findings;
}

/** Everybody may ask names, and the router fetch pictures; nothing else leaves the release. */
function outwards(policies: readonly NetworkPolicy[], name: string, pod: Pod, port: number): readonly string[] {
  const isDrover = name !== "redis";
  return (["TCP", "UDP"] as const).flatMap((protocol) => {
    const { egress } = allows(policies, { from: endOf(pod), to: OUTSIDE, port, protocol });
    const isWeb = name === "router" && protocol === "TCP" && WEB_PORTS.includes(port);
    const wanted = (isDrover && port === DNS_PORT) || isWeb;
    return egress === wanted ? [] : [`${name} ${egress ? "may" : "may not"} reach ${protocol} ${port} outside`];
  });
}

/** Everybody may ask the router, and a Prometheus scrape each of Drover's processes; nothing else enters the release. */
function inwards(policies: readonly NetworkPolicy[], name: string, pod: Pod, port: number): readonly string[] {
  return (["TCP", "UDP"] as const).flatMap((protocol) => {
    const { ingress } = allows(policies, { from: OUTSIDE, to: endOf(pod), port, protocol });
    const isApi = name === "router" && API_PORTS.includes(port);
    const wanted = protocol === "TCP" && (isApi || (name !== "redis" && port === ADMIN_PORT));
    return ingress === wanted
      ? []
      : [`${name} ${ingress ? "can" : "cannot"} be reached from outside at ${protocol} ${port}`];
  });
}
