import type { WorkerRole } from "@drover/core";
import { seededRandom } from "@drover/core";
import type { ClientPlan } from "./sim-client.ts";

/** Something that goes wrong, or is done to the cluster, at its time. */
export type Fault = Readonly<{ atMs: number }> &
  (
    | Readonly<{ kind: "crash"; machine: string; forMs: number }>
    /** It ends in order, and comes back. */
    | Readonly<{ kind: "stop"; machine: string; forMs: number }>
    | Readonly<{ kind: "pause"; machine: string; forMs: number }>
    | Readonly<{ kind: "cut"; from: string; to: string; forMs: number }>
    | Readonly<{ kind: "slow"; from: string; to: string; times: number; forMs: number }>
    | Readonly<{ kind: "reset"; one: string; other: string }>
    | Readonly<{ kind: "jump"; machine: string; byMs: number }>
    /** Its steps take so many times as long. */
    | Readonly<{ kind: "drag"; machine: string; times: number; forMs: number }>
    /** An operator drains it, and then not any more. */
    | Readonly<{ kind: "drain"; machine: string; forMs: number }>
    /** Redis loses its data. */
    | Readonly<{ kind: "forget" }>
    /** Redis's disk is full: it takes no write. */
    | Readonly<{ kind: "full"; forMs: number }>
    /** What is called from one machine to the other is called twice. */
    | Readonly<{ kind: "twice"; from: string; to: string; forMs: number }>
  );

export type WorkerPlan = Readonly<{ name: string; roles: readonly WorkerRole[]; kvBytesMax: number }>;

/** A whole history but for what follows from it: the cluster, who asks what, and what goes wrong. */
export type Plan = Readonly<{
  seed: number;
  queue: "inside" | "redis";
  schedulers: readonly string[];
  routers: readonly string[];
  workers: readonly WorkerPlan[];
  holdersMin: number;
  clients: readonly ClientPlan[];
  faults: readonly Fault[];
}>;

/** Faults begin and clients come within this time; the cluster has come up before. */
const BEGIN_MS = 3000;
const LAST_MS = 15_000;
const KV_BYTES = [24_000, 40_000, 120_000];
const PREFIX_COUNT = 3;

type Draw = Readonly<{
  whole: (from: number, to: number) => number;
  one: <T>(of: readonly T[]) => T;
  is: (share: number) => boolean;
}>;

function drawOf(seed: number): Draw {
  const chance = seededRandom(seed * 2_654_435_761 + 1);
  const whole = (from: number, to: number) => from + Math.floor(chance() * (to - from + 1));
  return {
    whole,
    one: <T>(of: readonly T[]): T => of[Math.floor(chance() * of.length)] as T,
    is: (share) => chance() < share,
  };
}

/** What a seed stands for. */
export function planOf(seed: number): Plan {
  const draw = drawOf(seed);
  const queue: Plan["queue"] = draw.is(0.6) ? "redis" : "inside";
  const schedulers = names("scheduler", queue === "redis" ? 2 : 1);
  const routers = names("router", draw.whole(1, 2));
  const workers = workersOf(draw);
  const machines = [
    ...schedulers,
    ...routers,
    ...workers.map(({ name }) => name),
    ...(queue === "redis" ? ["redis"] : []),
  ];
  const clients = clientsOf(draw, routers.length);
  const around: Around = { machines, workers, queue };
  if (queue === "redis" && draw.is(0.2)) {
    const faults = leaderFaults(draw, schedulers, workers);
    const beganMs = Math.min(...faults.map(({ atMs }) => atMs));
    const hurried = clients.map((client) => ({ ...client, atMs: draw.whole(beganMs, beganMs + LEADER_CUT_MS) }));
    return { seed, queue, schedulers, routers, workers, holdersMin: 1, clients: hurried, faults };
  }
  const faults = Array.from({ length: draw.whole(0, 8) }, () => faultOf(draw, around));
  faults.push(...rareFaults(seed, around));
  faults.sort((a, b) => a.atMs - b.atMs);
  return { seed, queue, schedulers, routers, workers, holdersMin: draw.whole(1, 2), clients, faults };
}

const names = (kind: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${kind}-${i}`);

function workersOf(draw: Draw): WorkerPlan[] {
  const kvBytesMax = draw.one(KV_BYTES);
  if (draw.is(0.4)) return names("worker", 2).map((name) => ({ name, roles: ["experts", "attention"], kvBytesMax }));
  return [
    ...names("attention", draw.whole(1, 2)).map((name) => ({ name, roles: ["attention"] as const, kvBytesMax })),
    ...names("experts", draw.whole(1, 3)).map((name) => ({ name, roles: ["experts"] as const, kvBytesMax })),
  ];
}

function clientsOf(draw: Draw, routerCount: number): ClientPlan[] {
  const prefixes = Array.from({ length: PREFIX_COUNT }, () => tokens(draw, draw.whole(64, 140)));
  return Array.from({ length: draw.whole(3, 8) }, () => ({
    atMs: draw.whole(BEGIN_MS - 2000, LAST_MS),
    router: draw.whole(0, routerCount - 1),
    prompt: [...(draw.is(0.6) ? draw.one(prefixes) : []), ...tokens(draw, draw.whole(1, 40))],
    tokensMax: draw.is(0.2) ? draw.whole(80, 140) : draw.whole(1, 30),
    choiceCount: draw.is(0.2) ? 2 : 1,
    ...(draw.is(0.25) && { leavesMs: draw.whole(5, draw.is(0.7) ? 400 : 4000) }),
    ...(draw.is(0.15) && { readMs: draw.whole(50, 800) }),
  }));
}

const tokens = (draw: Draw, count: number): number[] => Array.from({ length: count }, () => draw.whole(0, 255));

/** What a leader has taken by then it still asks about when it is cut off. */
const LEADER_CUT_MS = 1500;

/** A scheduler that may lead hears from Redis late and then nothing, and workers go from one scheduler to the other. */
function leaderFaults(draw: Draw, schedulers: readonly string[], workers: readonly WorkerPlan[]): Fault[] {
  const leader = draw.one(schedulers);
  const atMs = draw.whole(BEGIN_MS, LAST_MS - 5000);
  const forMs = draw.whole(4000, 9000);
  const names = workers.map(({ name }) => name);
  const times = draw.whole(50, 300);
  const slow = [
    { kind: "slow" as const, atMs, from: leader, to: "redis", times, forMs },
    { kind: "slow" as const, atMs, from: "redis", to: leader, times, forMs },
  ];
  const resets = Array.from({ length: draw.whole(2, 6) }, () => ({
    kind: "reset" as const,
    atMs: draw.whole(atMs, LAST_MS),
    one: draw.one(names),
    other: draw.one(schedulers),
  }));
  const from = draw.is(0.5) ? leader : "redis";
  const to = from === leader ? "redis" : leader;
  return [...slow, { kind: "cut", atMs: atMs + LEADER_CUT_MS, from, to, forMs }, ...resets];
}

type Around = Readonly<{ machines: readonly string[]; workers: readonly WorkerPlan[]; queue: Plan["queue"] }>;

function faultOf(draw: Draw, { machines, workers, queue }: Around): Fault {
  const atMs = draw.whole(BEGIN_MS, LAST_MS);
  const machine = draw.one(machines);
  const other = draw.one(machines.filter((one) => one !== machine));
  const worker = draw.one(workers).name;
  const forMs = draw.is(0.3) ? draw.whole(4000, 18_000) : draw.whole(20, 4000);
  const kind = draw.one(KINDS);
  switch (kind) {
    case "crash":
    case "pause":
      return { kind, atMs, machine, forMs };
    case "stop":
    case "drain":
      return { kind, atMs, machine: worker, forMs };
    case "cut":
      return { kind, atMs, from: machine, to: other, forMs };
    case "slow":
      return { kind, atMs, from: machine, to: other, times: draw.whole(5, 200), forMs };
    case "reset":
      return { kind, atMs, one: machine, other };
    case "jump":
      return { kind, atMs, machine, byMs: draw.whole(-20_000, 20_000) };
    case "drag":
      return { kind, atMs, machine: worker, times: draw.whole(3, 40), forMs };
    case "forget":
      return queue === "redis" ? { kind, atMs } : { kind: "reset", atMs, one: machine, other };
  }
}

/** What is not drawn with the others, so that these stay what they are with their seeds. */
function rareFaults(seed: number, { machines, queue }: Around): Fault[] {
  const draw = drawOf(seed + 0.5);
  const faults: Fault[] = [];
  if (draw.is(0.3)) {
    const from = draw.one(machines);
    const to = draw.one(machines.filter((one) => one !== from));
    faults.push({ kind: "twice", atMs: draw.whole(0, LAST_MS), from, to, forMs: draw.whole(1000, 12_000) });
  }
  if (queue === "redis" && draw.is(0.25))
    faults.push({ kind: "full", atMs: draw.whole(BEGIN_MS, LAST_MS), forMs: draw.whole(500, 9000) });
  return faults;
}

const KINDS = [
  "crash",
  "crash",
  "pause",
  "pause",
  "cut",
  "cut",
  "cut",
  "slow",
  "reset",
  "reset",
  "stop",
  "drain",
  "jump",
  "drag",
  "forget",
] as const;

/** Nothing goes wrong, or has gone wrong of late, in [fromMs, toMs]. */
export function isCalm({ faults }: Plan, fromMs: number, toMs: number): boolean {
  const lateMs = 12_000;
  return faults.every(({ atMs, ...fault }) => {
    const endMs = atMs + ("forMs" in fault ? fault.forMs : 0);
    return atMs > toMs || endMs + lateMs < fromMs;
  });
}

/** When the last fault is over. */
export function healedMs({ faults }: Plan): number {
  return Math.max(BEGIN_MS, ...faults.map((fault) => fault.atMs + ("forMs" in fault ? fault.forMs : 0)));
}
