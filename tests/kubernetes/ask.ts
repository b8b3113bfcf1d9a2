import { fileURLToPath } from "node:url";
import type { Bed } from "./bed.ts";
import { HEAL_MS_MAX, PROMPT_MS_MAX } from "./limits.ts";
import { list } from "./workloads.ts";

const PROGRAM = fileURLToPath(new URL("ask-program.ts", import.meta.url));

export type Answered = Readonly<{ httpMs: number; grpcMs: number; failureCount: number }>;
type Service = Readonly<{
  spec: Readonly<{ clusterIP: string; ports: readonly Readonly<{ name: string; port: number }>[] }>;
}>;

/** Asks through the routers' Service, over HTTP and gRPC, until both answers are right. Throws when one is wrong or they take too long. */
export async function ask(bed: Bed, namespace: string): Promise<Answered> {
  const services = await list<Service>(bed, namespace, "services", "-l", "app.kubernetes.io/component=router");
  const [service] = services;
  if (service === undefined) throw new Error("the routers have no Service");
  const addressOf = (name: string): string => {
    const port = service.spec.ports.find((port) => port.name === name)?.port;
    if (port === undefined) throw new Error(`the routers' Service has no port ${name}`);
    return `${service.spec.clusterIP}:${port}`;
  };
  const flags = [`--http=${addressOf("http")}`, `--grpc=${addressOf("grpc")}`];
  const program = [...process.execArgv, PROGRAM, ...flags];
  const output = await bed.inside(process.execPath, program, HEAL_MS_MAX + 2 * PROMPT_MS_MAX);
  return JSON.parse(output) as Answered;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

export const answeredText = ({ httpMs, grpcMs, failureCount }: Answered): string =>
  `right over HTTP after ${seconds(httpMs)} and over gRPC after ${seconds(grpcMs)}${failureCount === 0 ? "" : `, ${failureCount} refused before`}`;
