import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "@drover/testkit";
import type { Post } from "../e2e/known-stream.ts";
import { MainProcess } from "../e2e/process-group.ts";

export type RollingFleetOptions = Readonly<{
  model: string;
  attentionWorkers: number;
  expertWorkers: number;
  routers: number;
  drainDelayMs: number;
  /** Of attention workers, where it differs: what they run may end within a delay, and is not handed back then. */
  attentionDelayMs?: number;
  graceMs: Readonly<{ router: number; attention: number; experts: number }>;
}>;

type Flags = Record<string, string | number>;
type Running = { process: MainProcess; readyz: string };
type RunningRouter = Running & { http: string; inService: boolean };

/** How often a router's readiness is looked at, as an endpoint controller would. */
const ENDPOINTS_MS = 100;

/** A cluster of processes as pods are: each life of one has an address of its own, and clients reach the routers that are ready. */
export class RollingFleet implements AsyncDisposable {
  readonly workerNames: readonly string[];
  /** Of routers that are started from now on. */
  routerGraceMs: number;
  readonly #options: RollingFleetOptions;
  readonly #workers = new Map<string, Running>();
  readonly #all: MainProcess[] = [];
  readonly #watching: NodeJS.Timeout;
  #routers: RunningRouter[] = [];
  #scheduler = "";
  #turn = 0;

  private constructor(options: RollingFleetOptions) {
    this.#options = options;
    this.routerGraceMs = options.graceMs.router;
    const names = (role: string, count: number) => Array.from({ length: count }, (_, i) => `${role}-${i}`);
    this.workerNames = [...names("attention", options.attentionWorkers), ...names("experts", options.expertWorkers)];
    this.#watching = setInterval(() => void this.#watchEndpoints(), ENDPOINTS_MS);
  }

  static async start(options: RollingFleetOptions): Promise<RollingFleet> {
    const fleet = new RollingFleet(options);
    try {
      await fleet.#begin();
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  /** Those that are in service, or on the way to or from it. */
  get routerCount(): number {
    return this.#routers.length;
  }

  get output(): string {
    return this.#all.map(({ output }) => output).join("\n");
  }

  /** To one router after the other of those that are in service. */
  readonly post: Post = (path, body, signal) => {
    const ready = this.#routers.filter(({ inService }) => inService);
    const router = ready[this.#turn++ % ready.length];
    if (router === undefined) throw new Error("no router is in service");
    return fetch(`http://${router.http}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  };

  /** As a StatefulSet does it: the old life ends, then the next one begins. Returns what the old one logged. */
  async restartWorker(name: string): Promise<string> {
    const old = this.#workers.get(name);
    if (old === undefined) throw new Error(`no worker is called ${name}`);
    await end(old.process);
    await this.#startWorker(name);
    return old.process.output;
  }

  /** As a Deployment does it: the next one is ready before the old one is asked to end. Returns what the old one logged. */
  async restartRouter(): Promise<string> {
    const [old] = this.#routers;
    if (old === undefined) throw new Error("there is no router");
    await this.#startRouter();
    await end(old.process);
    this.#routers = this.#routers.filter((router) => router !== old);
    return old.process.output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watching);
    for (const { child } of this.#all) child.kill("SIGKILL");
    await Promise.all(this.#all.map(({ child }) => (isOver(child) ? undefined : once(child, "exit"))));
  }

  async #begin(): Promise<void> {
    const { expertWorkers, routers } = this.#options;
    const flags = { "model-name": "nano", "grpc-port": 0, "expect-experts": expertWorkers };
    const { grpc = "" } = await this.#spawn("scheduler", flags).listening;
    this.#scheduler = grpc;
    await Promise.all([
      ...this.workerNames.map((name) => this.#startWorker(name)),
      ...Array.from({ length: routers }, () => this.#startRouter()),
    ]);
  }

  async #startWorker(name: string): Promise<void> {
    const roles = name.startsWith("attention") ? "attention" : "experts";
    const process = this.#spawn("worker", { ...this.#common(roles), roles, "worker-id": name });
    const { admin = "" } = await process.listening;
    const running = { process, readyz: `http://${admin}/readyz` };
    this.#workers.set(name, running);
    await this.#untilReady(running);
  }

  async #startRouter(): Promise<void> {
    const process = this.#spawn("router", { ...this.#common("router"), "http-port": 0, "grpc-port": 0 });
    const { http = "", admin = "" } = await process.listening;
    const router = { process, http, readyz: `http://${admin}/readyz`, inService: false };
    this.#routers.push(router);
    await this.#untilReady(router);
    router.inService = true;
  }

  #common(part: keyof RollingFleetOptions["graceMs"]): Flags {
    const { model, drainDelayMs, attentionDelayMs = drainDelayMs, graceMs } = this.#options;
    return {
      model,
      scheduler: this.#scheduler,
      "drain-delay": `${part === "attention" ? attentionDelayMs : drainDelayMs}ms`,
      "drain-grace": `${part === "router" ? this.routerGraceMs : graceMs[part]}ms`,
    };
  }

  #spawn(main: "router" | "scheduler" | "worker", flags: Flags): MainProcess {
    const process = new MainProcess(main, { flags });
    this.#all.push(process);
    return process;
  }

  async #untilReady({ readyz, process }: Running): Promise<void> {
    const limit = performance.now() + PATIENCE_MS;
    while (!(await isReady(readyz))) {
      if (isOver(process.child) || performance.now() > limit) throw new Error(`${readyz} never came:\n${this.output}`);
      await sleep(20);
    }
  }

  async #watchEndpoints(): Promise<void> {
    for (const router of this.#routers) router.inService = await isReady(router.readyz);
  }
}

async function isReady(readyz: string): Promise<boolean> {
  return fetch(readyz).then(
    ({ ok }) => ok,
    () => false,
  );
}

const isOver = ({ exitCode, signalCode }: MainProcess["child"]) => exitCode !== null || signalCode !== null;

/** Asks it to end and waits. Errors: where it has not ended in time, or not by itself. */
async function end({ child, output }: MainProcess): Promise<void> {
  const exit = once(child, "exit", { signal: AbortSignal.timeout(PATIENCE_MS) });
  child.kill("SIGTERM");
  const [code] = await exit;
  if (code !== 0) throw new Error(`ended with ${code}:\n${output}`);
}
