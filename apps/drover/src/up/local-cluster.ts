import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, DroverError, parseSentinelUrl } from "@drover/core";
import { isFileFault, writeFault } from "../made-folders.ts";
import type { ScreenRow } from "../top/screen.ts";
import type { Guard } from "./guard.ts";
import { planLocalRedis } from "./local-redis.ts";
import { ProcessPlans, type ProcessPlansOptions } from "./process-plans.ts";
import type { QueueChoice } from "./queue-choice.ts";
import { canConnect } from "./redis-ping.ts";
import { type Addresses, type ProcessPlan, Supervised, type SupervisedEvent } from "./supervised.ts";

/** What is told of the processes; the rest is made here. */
type LocalClusterOptions = Omit<ProcessPlansOptions, "queue" | "clusterSecretFile">;

const NO_ADDRESSES: Addresses = {};

/** All processes of `drover up`: started in the order in which they need each other, stopped together, the queue last. */
export class LocalCluster {
  readonly #options: LocalClusterOptions;
  readonly #choice: QueueChoice;
  readonly #clock: Clock;
  readonly #guard: Guard;
  readonly #emit: (event: SupervisedEvent) => void;
  #queueServer: Supervised | undefined;
  #clusterSecretFile = "";
  #processes: Supervised[] = [];
  #stopping = false;

  constructor(
    options: LocalClusterOptions,
    choice: QueueChoice,
    ports: Readonly<{ clock: Clock; guard: Guard; emit: (event: SupervisedEvent) => void }>,
  ) {
    this.#options = options;
    this.#choice = choice;
    this.#clock = ports.clock;
    this.#guard = ports.guard;
    this.#emit = ports.emit;
  }

  /** Starts everything and resolves when all are ready. Errors: `unavailable` when a process ends before it has ever listened. */
  async start(): Promise<void> {
    const folder = await written(() => mkdtemp(join(tmpdir(), "drover-up-")));
    this.#guard.removeAtEnd(folder);
    const clusterSecretFile = this.#options.config.clusterSecretFile ?? (await written(() => makeSecret(folder)));
    this.#clusterSecretFile = clusterSecretFile;
    const queue = await this.#openQueue(folder);
    const plans = new ProcessPlans({ ...this.#options, queue, clusterSecretFile });
    const scheduler = this.#add(plans.scheduler());
    const { grpc } = await scheduler.listening;
    if (grpc === undefined) throw new DroverError("internal", "the scheduler did not say where it listens");
    for (const plan of [plans.router(grpc), ...plans.workers(grpc)]) this.#add(plan);
    await Promise.all(this.#processes.flatMap((process) => [process.listening, process.ready]));
  }

  /** Names of what is not ready yet. */
  get awaited(): string[] {
    return this.#all.filter((process) => !process.isReady).map((process) => process.name);
  }

  get rows(): ScreenRow[] {
    return this.#all.map(({ name, pid, addresses }) => ({ name, pid, addresses: addresses ?? NO_ADDRESSES }));
  }

  /** By which others of this machine's user may ask as members; empty before the start. */
  get clusterSecretFile(): string {
    return this.#clusterSecretFile;
  }

  /** What the router announced: `http` and `grpc`. */
  get routerAddresses(): Addresses {
    return this.#processes.find((process) => process.name === "router")?.addresses ?? NO_ADDRESSES;
  }

  /** Ends all processes; those that do not end in time are killed. */
  async stop(graceMs?: number): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#processes.map((process) => process.stop(graceMs)));
    await this.#queueServer?.stop(graceMs);
  }

  get #all(): Supervised[] {
    return this.#queueServer === undefined ? this.#processes : [this.#queueServer, ...this.#processes];
  }

  async #openQueue(folder: string): Promise<string> {
    const choice = this.#choice;
    if (choice.kind === "embedded") return "scheduler";
    if (choice.kind === "external") {
      if (await canConnect(choice.url)) return choice.url;
      throw new DroverError(
        "unavailable",
        `No Redis can be reached at ${withoutPassword(choice.url)}, which ${choice.origin} names.`,
      );
    }
    const data = join(folder, "queue");
    await written(() => mkdir(data));
    const server = this.#supervise(await planLocalRedis(choice.program, data, this.#clock));
    this.#queueServer = server;
    const { redis } = await server.listening;
    return `redis://${redis}`;
  }

  #add(plan: ProcessPlan): Supervised {
    const process = this.#supervise(plan);
    this.#processes.push(process);
    return process;
  }

  #supervise(plan: ProcessPlan): Supervised {
    if (this.#stopping) throw new DroverError("cancelled", "the cluster is being stopped");
    const process = new Supervised(plan, this.#clock, (event) => {
      if (event.kind === "started") this.#guard.watch(event.pid);
      if (event.kind === "ended") this.#guard.forget(event.pid);
      this.#emit(event);
    });
    process.start();
    return process;
  }
}

/** A secret of this cluster alone, which nobody but this user can read. Returns its file. */
async function makeSecret(folder: string): Promise<string> {
  const file = join(folder, "cluster-secret");
  await writeFile(file, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600 });
  return file;
}

/** In words, for the screen. */
export function describeQueue(choice: QueueChoice, addresses: readonly ScreenRow[]): string {
  if (choice.kind === "embedded") return `embedded in the scheduler (${choice.because})`;
  if (choice.kind === "external") return `Redis at ${withoutPassword(choice.url)} (${choice.origin})`;
  const address = addresses.find((row) => row.addresses.redis !== undefined)?.addresses.redis;
  return `Redis started here at ${address} (${choice.program}), ends with this command`;
}

function withoutPassword(url: string): string {
  const sentinel = parseSentinelUrl(url);
  if (sentinel !== undefined)
    return `${sentinel.name}, by the sentinels ${sentinel.sentinels.map(({ host, port }) => `${host}:${port}`).join(", ")}`;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** What was made in the temporary folder. Errors: `unavailable`, where it takes nothing. */
async function written<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (cause) {
    if (!isFileFault(cause)) throw cause;
    throw new DroverError(
      "unavailable",
      `Nothing can be written in ${tmpdir()}: ${writeFault(cause)}; make room there, or name another temporary folder by TMPDIR.`,
      { cause },
    );
  }
}
