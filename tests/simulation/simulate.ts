import { Observer } from "./observer.ts";
import { healedMs, type Plan } from "./plan.ts";
import type { Seams } from "./seams.ts";
import { SimClient } from "./sim-client.ts";
import { SimCluster } from "./sim-cluster.ts";

/** What came of a plan. */
export type History = Readonly<{
  /** What must never be; empty when all was well. */
  violations: readonly string[];
  hash: string;
  eventCount: number;
  /** Of the clients, by how it ended. */
  ends: readonly string[];
  /** From the end of the last fault to that of the last client. */
  recoveryMs: number;
  /** The last lines of the log. */
  lines: readonly string[];
}>;

export type SimulateOptions = Readonly<{ linesKept?: number; seams?: Seams }>;

/** Once faults have stopped, everybody is answered within this time. */
const ANSWER_MS_MAX = 25_000;
/** Then all that is left of requests goes within this. */
const QUIET_MS = 12_000;

/** Lives through a plan, and looks at all times at what must hold. */
export async function simulate(plan: Plan, { linesKept = 200, seams = {} }: SimulateOptions = {}): Promise<History> {
  const observer = new Observer(seams);
  using _ = observer.catchBugs();
  const cluster = new SimCluster(plan, observer.seams, linesKept, (error) => observer.bug(error));
  const { world } = cluster;
  observer.now = () => world.nowMs;
  const clients = plan.clients.map((client, i) => {
    const made = new SimClient(`client-${i}`, client, (sentence) => observer.violated(sentence));
    world.after(client.atMs, undefined, `client-${i} asks`, () => begin(made, cluster, plan));
    made.onLeft = () => observer.left(made, cluster, plan);
    return made;
  });
  observer.clients = clients;
  const isDone = () => observer.violations.length > 0;
  const healed = healedMs(plan);
  await world.run(healed, isDone);
  let over = world.nowMs;
  const isAnswered = () => isDone() || clients.every((client) => client.isOver);
  if (!isAnswered()) {
    await world.run(healed + ANSWER_MS_MAX, isAnswered);
    over = world.nowMs;
  }
  for (const client of clients) if (!client.isOver) observer.violated(`${client.name} waits for ever`);
  if (!isDone()) {
    await world.run(Math.max(over, healed) + QUIET_MS, isDone);
    if (!isDone()) await observer.atRest(cluster);
  }
  for (const client of clients) observer.ended(client);
  return {
    violations: observer.violations,
    hash: world.log.hash,
    eventCount: world.log.count,
    ends: clients.map(({ end, router }) => endText(end, router?.process.isGone ?? false)),
    recoveryMs: over - healed,
    lines: world.log.lines,
  };
}

/** Asks its router; where that is down, as a balancer does it, another one, or later. */
function begin(client: SimClient, cluster: SimCluster, plan: Plan): void {
  const order = plan.routers.map((_, i) => plan.routers[(client.plan.router + i) % plan.routers.length] ?? "");
  const name = order.find((one) => cluster.isUp(one));
  const router = name === undefined ? undefined : cluster.routers.get(name);
  if (router === undefined) cluster.world.after(500, undefined, "", () => begin(client, cluster, plan));
  else {
    client.router = router;
    router.process.after(0, "", () => void client.ask(router));
  }
}

function endText(end: SimClient["end"], isRouterGone: boolean): string {
  if (end === undefined) return isRouterGone ? "down with its router" : "waiting";
  return end.kind === "refused"
    ? `${end.code}${end.accepted ? " after it was accepted" : ""}: ${end.message}`
    : end.kind;
}
