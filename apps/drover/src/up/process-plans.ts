import { basename, resolve } from "node:path";
import type { WorkerRole } from "@drover/core";
import { handedFlags } from "./handed-flags.ts";
import { type Launched, launchMain, type Observer } from "./launch.ts";
import { GRPC_PORT_DEFAULT, HTTP_PORT_DEFAULT } from "./start-checks.ts";
import type { Addresses, ProcessPlan } from "./supervised.ts";
import type { UpConfig } from "./up-config.ts";
import type { UpWorkers } from "./up-workers.ts";

/** The files that the children run. */
export type Mains = Readonly<{ router: string; scheduler: string; worker: string }>;

/** What the children's command lines are made of. */
export type ProcessPlansOptions = Readonly<{
  config: UpConfig;
  workers: UpWorkers;
  mains: Mains;
  modelFolder: string;
  /** Whether the checkpoint has a vision encoder. */
  readsImages: boolean;
  /** `scheduler`, or a Redis URL: it may hold a password, so it travels in the environment and never as an argument. */
  queue: string;
  /** The file of the secret that the children know each other by. */
  clusterSecretFile: string;
  env: Readonly<Record<string, string | undefined>>;
}>;

const ANY_PORT = "0";

/**
 * A router gives blocks of a MiB and more back as they are freed. Those of glibc's own heaps stay, and what large bodies take would with them; workers keep such
 * blocks, because each step takes them anew.
 */
const ROUTER_ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: "1048576", MALLOC_TRIM_THRESHOLD_: "1048576" } as const;

/** All processes end together, at Ctrl-C: there is nobody to drain to. */
const HURRY = { "drain-delay": "0s", "drain-grace": "0s" } as const;

type Flags = Readonly<Record<string, string | number | undefined>>;

/** The plans of all processes but Redis. The scheduler comes first: all others are told its address. */
export class ProcessPlans {
  readonly #options: ProcessPlansOptions;

  constructor(options: ProcessPlansOptions) {
    this.#options = options;
  }

  get modelName(): string {
    return this.#options.config.modelName ?? basename(resolve(this.#options.modelFolder));
  }

  scheduler(): ProcessPlan {
    const flags = {
      "model-name": this.modelName,
      "expect-experts": this.#expertHolderCount,
      ...handedFlags(["scheduler"], this.#options.config),
    };
    return this.#plan("scheduler", "scheduler", flags, { "grpc-port": "grpc", "admin-port": "admin" });
  }

  router(schedulerAddress: string): ProcessPlan {
    const { config, modelFolder } = this.#options;
    const anyPort = config.prompt !== undefined;
    const flags = {
      model: modelFolder,
      "model-name": this.modelName,
      scheduler: schedulerAddress,
      ...HURRY,
      ...handedFlags(["router"], config),
    };
    return this.#plan(
      "router",
      "router",
      flags,
      { "http-port": "http", "grpc-port": "grpc", "admin-port": "admin" },
      {
        "http-port": config.httpPort ?? (anyPort ? ANY_PORT : HTTP_PORT_DEFAULT),
        "grpc-port": config.grpcPort ?? (anyPort ? ANY_PORT : GRPC_PORT_DEFAULT),
      },
    );
  }

  workers(schedulerAddress: string): ProcessPlan[] {
    const { config, workers, modelFolder, readsImages } = this.#options;
    const { attentionWorkers, expertWorkers, deviceOf, expertDeviceOf, contextDeviceOf } = workers;
    const plan = (roles: readonly WorkerRole[], name: string, device?: string, more: Flags = {}) => {
      const flags = {
        roles: roles.join(","),
        "worker-id": name,
        model: modelFolder,
        "model-name": this.modelName,
        scheduler: schedulerAddress,
        device,
        ...HURRY,
        ...handedFlags(roles, config),
        ...more,
      };
      return this.#plan("worker", name, flags, { "grpc-port": "grpc", "admin-port": "admin" });
    };
    const visionWorkers = readsImages ? config.visionWorkers : 0;
    const roles: WorkerRole[] = ["attention"];
    if (expertWorkers === 0) roles.push("experts");
    if (readsImages && visionWorkers === 0) roles.push("vision");
    return [
      ...count(attentionWorkers).map((index) => plan(roles, `attention-${index}`, deviceOf(index))),
      ...count(expertWorkers).map((index) => plan(["experts"], `experts-${index}`, expertDeviceOf(index))),
      ...count(config.contextWorkers).map((index) =>
        plan(["context"], `context-${index}`, contextDeviceOf(index), this.#contextFlags),
      ),
      ...count(visionWorkers).map((index) =>
        plan(["vision"], `vision-${index}`, config.visionDevice, this.#visionFlags),
      ),
    ];
  }

  /** `auto` measures a card: context workers without one have what goes without saying. */
  get #contextFlags(): Flags {
    const { contextDevice, kvMemory } = this.#options.config;
    return contextDevice === "cpu" && kvMemory === "auto" ? { "kv-memory": undefined } : {};
  }

  /** Cards alone compute in a precision. */
  get #visionFlags(): Flags {
    const { visionDevice, precision } = this.#options.config;
    return visionDevice === "cpu" ? {} : { precision };
  }

  /** Without expert workers the attention workers hold the experts too. */
  get #expertHolderCount(): number {
    const { expertWorkers, attentionWorkers } = this.#options.workers;
    return expertWorkers === 0 ? attentionWorkers : expertWorkers;
  }

  /** `ports` says which announced address each port flag keeps over a restart; `first` is what it is before, any free one if absent. */
  #plan(
    main: keyof Mains,
    name: string,
    flags: Flags,
    ports: Readonly<Record<string, string>>,
    first: Flags = {},
  ): ProcessPlan {
    const { mains, clusterSecretFile } = this.#options;
    return {
      name,
      launch: (before: Addresses | undefined, observer: Observer): Launched => {
        const kept = Object.entries(ports).map(([flag, address]) => [
          flag,
          portOf(before?.[address]) ?? first[flag] ?? ANY_PORT,
        ]);
        const all: Flags = { ...flags, ...Object.fromEntries(kept), "cluster-secret-file": clusterSecretFile };
        return launchMain(mains[main], toArguments(all), this.#childEnvironment(main), observer);
      },
    };
  }

  /** The settings of `up` are not its children's: they get theirs as arguments. */
  #childEnvironment(main: keyof Mains): NodeJS.ProcessEnv {
    const { env, queue } = this.#options;
    const inherited = Object.entries(env).filter(([name]) => !name.startsWith("DROVER_"));
    return {
      ...Object.fromEntries(inherited),
      ...(main === "worker" ? {} : { DROVER_QUEUE: queue }),
      ...(main === "router" ? ROUTER_ALLOCATOR : {}),
    };
  }
}

const count = (length: number): number[] => Array.from({ length }, (_, index) => index);

const portOf = (address: string | undefined): string | undefined => /:(\d+)$/.exec(address ?? "")?.[1];

function toArguments(flags: Flags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
}
