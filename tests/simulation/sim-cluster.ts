import { neverAborted } from "@drover/core";
import { SimNetwork, type SimProcess, SimWorld } from "@drover/testkit";
import type { Fault, Plan } from "./plan.ts";
import type { Seams } from "./seams.ts";
import { SimRedis } from "./sim-redis.ts";
import { SimRouter } from "./sim-router.ts";
import { SimScheduler } from "./sim-scheduler.ts";
import { SimWorker } from "./sim-worker.ts";

/** A machine of the cluster: the life that its process has now, however many it had. */
type Machine = { process: SimProcess; readonly start: () => void; dragTimes: number; isRestartDue: boolean };

const LATENCY = { leastMs: 0.2, mostMs: 6 };
/** An order that no leader has heard, or that its worker has not obeyed. */
const ASKED_AGAIN_MS = 500;
const addressOf = (name: string): string => `${name}:1`;

/** A cluster as a plan has it, whose machines fail, come back, and are cut off from one another. */
export class SimCluster {
  readonly world: SimWorld;
  readonly network: SimNetwork;
  readonly routers = new Map<string, SimRouter>();
  readonly workers = new Map<string, SimWorker>();
  readonly schedulers = new Map<string, SimScheduler>();
  readonly redis: SimRedis | undefined;
  readonly #plan: Plan;
  readonly #seams: Seams;
  readonly #onBug: (error: unknown) => void;
  readonly #machines = new Map<string, Machine>();

  constructor(plan: Plan, seams: Seams, linesKept: number, onBug: (error: unknown) => void) {
    this.#plan = plan;
    this.#seams = seams;
    this.#onBug = onBug;
    this.world = new SimWorld({ seed: plan.seed, linesKept });
    this.network = new SimNetwork(this.world, LATENCY);
    if (plan.queue === "redis") {
      let clock = this.world.process("redis");
      // Its data outlives its process: what it has said is on disk.
      this.redis = new SimRedis({
        now: () => clock.now(),
        monotonic: () => this.world.nowMs,
        sleep: (ms, signal) => clock.sleep(ms, signal),
      });
      this.#add("redis", (process) => {
        clock = process;
        this.#watch(this.redis?.watch());
      });
    }
    for (const name of plan.schedulers) this.#add(name, (process) => this.#startScheduler(name, process));
    for (const { name } of plan.workers) this.#add(name, (process) => this.#startWorker(name, process));
    for (const name of plan.routers) this.#add(name, (process) => this.#startRouter(name, process));
    for (const fault of plan.faults)
      this.world.after(fault.atMs, undefined, `! ${describe(fault)}`, () => this.#do(fault));
  }

  isUp(name: string): boolean {
    return this.#machines.get(name)?.process.isGone === false;
  }

  #add(name: string, begin: (process: SimProcess) => void): void {
    const machine: Machine = {
      process: this.world.process(name),
      start: () => {
        machine.process = this.world.process(name);
        begin(machine.process);
      },
      dragTimes: 1,
      isRestartDue: false,
    };
    this.#machines.set(name, machine);
    machine.start();
  }

  #startScheduler(name: string, process: SimProcess): void {
    const { workers, holdersMin } = this.#plan;
    const expectExperts = workers.filter(({ roles }) => roles.includes("experts")).length;
    const scheduler = new SimScheduler(this.network, process, {
      address: addressOf(name),
      expectExperts,
      holdersMin: Math.min(holdersMin, expectExperts),
      seams: this.#seams,
      ...this.#redisPlace(),
    });
    this.schedulers.set(name, scheduler);
    this.#watch(scheduler.run());
  }

  #startWorker(name: string, process: SimProcess): void {
    const planned = this.#plan.workers.find((worker) => worker.name === name);
    if (planned === undefined) return;
    const starting = SimWorker.start(this.network, process, {
      roles: planned.roles,
      schedulers: this.#plan.schedulers.map(addressOf),
      address: addressOf(name),
      kvBytesMax: planned.kvBytesMax,
      slowness: () => this.#machine(name).dragTimes,
      seams: this.#seams,
    });
    this.#watch(
      starting.then(async (worker) => {
        this.workers.set(name, worker);
        await worker.run();
        this.#end(name, process);
      }),
    );
  }

  #startRouter(name: string, process: SimProcess): void {
    const { schedulers } = this.#plan;
    const router = new SimRouter(this.network, process, {
      schedulers: schedulers.map(addressOf),
      address: addressOf(name),
      seams: this.#seams,
      ...this.#redisPlace(),
    });
    this.routers.set(name, router);
    this.#watch(router.run());
  }

  #redisPlace() {
    const { redis } = this;
    return redis === undefined ? {} : { redis: () => ({ process: this.#machine("redis").process, redis }) };
  }

  /** What a process's loop rejects with is a bug: it would have ended the process. */
  #watch(running: Promise<void> | undefined): void {
    running?.catch((error: unknown) => this.#onBug(error));
  }

  #do(fault: Fault): void {
    const { world, network } = this;
    const later = (inMs: number, what: string, happen: () => void) => world.after(inMs, undefined, what, happen);
    switch (fault.kind) {
      case "crash":
        this.#crash(fault.machine, fault.forMs);
        return;
      case "stop":
        this.#stop(fault.machine, fault.forMs);
        return;
      case "pause":
        this.#pause(fault.machine, fault.forMs);
        return;
      case "cut":
        network.cut(fault.from, fault.to);
        later(fault.forMs, `. ${fault.from} > ${fault.to} heals`, () => network.heal(fault.from, fault.to));
        return;
      case "slow":
        network.slow(fault.from, fault.to, fault.times);
        later(fault.forMs, "", () => network.slow(fault.from, fault.to, 1));
        return;
      case "reset":
        network.reset(fault.one, fault.other);
        return;
      case "jump":
        this.#machine(fault.machine).process.jump(fault.byMs);
        return;
      case "drag":
        this.#machine(fault.machine).dragTimes = fault.times;
        later(fault.forMs, "", () => {
          this.#machine(fault.machine).dragTimes = 1;
        });
        return;
      case "drain":
        this.#drain(fault.machine, false);
        later(fault.forMs, `. ${fault.machine} serves again`, () => this.#drain(fault.machine, true));
        return;
      case "twice":
        network.repeat(fault.from, fault.to, true);
        later(fault.forMs, "", () => network.repeat(fault.from, fault.to, false));
        return;
      case "full":
        this.#fill(true);
        later(fault.forMs, ". redis has room again", () => this.#fill(false));
        return;
      case "forget":
        this.redis?.forget();
    }
  }

  #fill(isFull: boolean): void {
    if (this.redis !== undefined) this.redis.isFull = isFull;
  }

  #crash(name: string, forMs: number): void {
    const { process } = this.#machine(name);
    if (process.isGone) return;
    process.kill();
    this.network.drop(process);
    this.#restart(name, forMs);
  }

  #restart(name: string, inMs: number): void {
    this.world.after(inMs, undefined, `. ${name} starts`, () => this.#machine(name).start());
  }

  /** A worker ends in order, and comes back some time later. */
  #stop(name: string, forMs: number): void {
    const machine = this.#machine(name);
    if (machine.process.isGone) return;
    machine.isRestartDue = true;
    const { process } = machine;
    this.workers.get(name)?.stop();
    // Who does not end in time is killed.
    this.world.after(forMs + 12_000, undefined, "", () => {
      if (machine.process === process && !process.isGone) this.#crash(name, 0);
    });
  }

  #end(name: string, process: SimProcess): void {
    process.kill();
    this.network.drop(process);
    this.#restart(name, 500);
  }

  #pause(name: string, forMs: number): void {
    const { process } = this.#machine(name);
    if (process.isGone) return;
    process.pause();
    this.network.doubt(process);
    this.world.after(forMs, undefined, `. ${name} goes on`, () => process.resume());
  }

  /** By an operator, who takes a drain back again and again until a leader says that the worker does not drain. */
  #drain(name: string, undo: boolean): void {
    const asked: Promise<boolean>[] = [];
    for (const { process, scheduler } of this.schedulers.values()) {
      if (process.isGone || process.isPaused || !scheduler.leading) continue;
      const answer = scheduler.drain({ workerId: name, undo, incarnation: undefined }, neverAborted);
      asked.push(
        answer.then(
          ({ draining }) => !draining,
          () => false,
        ),
      );
    }
    if (!undo) return;
    void Promise.all(asked).then((serves) => {
      if (!serves.includes(true)) this.world.after(ASKED_AGAIN_MS, undefined, "", () => this.#drain(name, true));
    });
  }

  #machine(name: string): Machine {
    const machine = this.#machines.get(name);
    if (machine === undefined) throw new Error(`no machine is called ${name}`);
    return machine;
  }
}

function describe(fault: Fault): string {
  const { atMs: _, ...rest } = fault;
  return Object.values(rest).join(" ");
}
