import { DroverError, type LogFields, type Logger, systemClock, type Tracer } from "@drover/core";
import {
  type AdminSubject,
  createLogger,
  createMetrics,
  type Metrics,
  openTracing,
  startAdminServer,
} from "@drover/telemetry";
import { attachCrash, crash, FAILURE_EXIT_STATUS } from "./crash.ts";
import { attachEnding, type Ending } from "./ending.ts";
import { enterCluster } from "./enter-cluster.ts";
import { advertisedHost } from "./flags/address-flags.ts";
import { commandConfig } from "./flags/command-config.ts";
import type { Config, ConfigSpec } from "./flags/flag.ts";
import type { ProcessConfig, ProcessFlags } from "./flags/process-flags.ts";
import { CLOSE_MS_MAX } from "./limits.ts";
import { attachParent } from "./parent.ts";

/** What one kind of process is, before it is started. */
export type ProcessSpec<S extends ConfigSpec & ProcessFlags> = Readonly<{
  /** Its name, `router`: of its command, and in its logs, series and traces. */
  kind: string;
  usage: string;
  flags: S;
  /** What stands below the flags of `--help`, by their values. */
  follows?: (values: Readonly<Record<string, unknown>>) => string;
  /** Why it is not ready while it starts, in a sentence. */
  starting: string;
  /** `host` is the one that peers dial. */
  identify: (config: Config<S>, host: string) => ProcessIdentity;
}>;

/** What tells a process from others of its kind. */
type ProcessIdentity = Readonly<{
  /** The name that traces know it by. */
  id: string;
  /** Put on every line of its log. */
  logged?: LogFields;
  /** Put on every series of its metrics. */
  labels?: Readonly<{ worker: string }>;
}>;

/** What every process is given to start with. */
export type Life<C> = Readonly<{
  config: C;
  /** `ProcessIdentity.id`. */
  id: string;
  /** The host that peers dial, and where on it the admin port is. */
  host: string;
  adminAddress: string;
  ending: Ending;
  logger: Logger;
  metrics: Metrics;
  tracer: Tracer;
  /** Tells the parent how far the start is. */
  progress: (text: string) => void;
  /** What the process holds until its end: released in reverse order, also where the start fails. */
  resources: AsyncDisposableStack;
}>;

/** A process that has started: it listens, and may not be ready yet. */
export type StartedProcess = AdminSubject &
  Readonly<{
    addresses: Readonly<Record<string, string>>;
    /** Told of the process when it listens, beside its addresses. */
    facts?: LogFields;
    /** Resolves when it can do its work for the first time. */
    ready: Promise<void>;
    /** Resolves once it was asked to end and has finished what it had to, or the time for that is over. Rejects when it cannot go on. */
    finished: () => Promise<void>;
  }>;

/**
 * The whole life of a process: reads flags, environment and file; has a log, metrics, traces and an admin port before `start` takes its time;
 * tells the parent what is served where; ends when it is asked to by a signal or its parent's death, with status 0.
 *
 * A fault that `start` or `finished` rejects with is one line of the log (`KIND.failed`) and status 1. Whatever else is thrown, here or
 * where nobody catches it, is a bug: its stack is logged (`KIND.crashed`), and the process ends at once with status 1.
 */
export async function serve<S extends ConfigSpec & ProcessFlags>(
  spec: ProcessSpec<S>,
  start: (life: Life<Config<S>>) => Promise<StartedProcess>,
): Promise<never> {
  const { kind, usage, flags, follows } = spec;
  const config = commandConfig(flags, {
    command: `drover ${kind}`,
    usage,
    ...(follows && { follows }),
    argv: process.argv.slice(2),
    env: process.env,
  });
  // Every spec has these flags; of a spec that is not known yet the compiler cannot tell.
  const common = config as unknown as ProcessConfig;
  const host = advertisedHost(common);
  const { id, logged = {}, labels = {} } = spec.identify(config, host);
  const logger = createLogger({ process: kind, level: common.logLevel, fields: logged });
  attachCrash(kind, logger);
  const metrics = createMetrics({ process: kind, ...labels });
  const resources = new AsyncDisposableStack();
  let status = 0;
  try {
    await live(spec, common, { config, id, host, logger, metrics, resources }, start);
  } catch (error) {
    if (!(error instanceof DroverError)) crash(kind, logger, error);
    // What `internal` wraps says more than its own sentence.
    const cause = error.code === "internal" && error.cause instanceof Error ? error.cause.message : undefined;
    logger.error(`${kind}.failed`, { code: error.code, reason: error.message, cause });
    status = FAILURE_EXIT_STATUS;
  }
  // What is still being closed then is cut off.
  setTimeout(() => process.exit(status), CLOSE_MS_MAX);
  await resources.disposeAsync();
  if (status === 0) logger.info(`${kind}.ended`);
  // The rest of the time is for what is still under way, and nothing is.
  process.exit(status);
}

/** From the admin port's first answer to the moment in which nothing is left to do. */
async function live<S extends ConfigSpec & ProcessFlags>(
  { kind, starting }: ProcessSpec<S>,
  common: ProcessConfig,
  known: Pick<Life<Config<S>>, "config" | "id" | "host" | "logger" | "metrics" | "resources">,
  start: (life: Life<Config<S>>) => Promise<StartedProcess>,
): Promise<void> {
  const { id, host, logger, metrics, resources } = known;
  const parent = attachParent();
  const ending = attachEnding({ ...common, parentGone: parent.gone, clock: systemClock });
  // Nobody waits for a process that does not listen yet, and it has nothing to finish.
  const leave = () => process.exit(0);
  ending.asked.addEventListener("abort", leave);
  ending.over.addEventListener("abort", () => setTimeout(() => process.exit(0), CLOSE_MS_MAX), { once: true });
  const { listen, adminPort, stallAfter } = common;
  // Before anything that takes time, so that probes have somebody to ask.
  const admin = resources.use(
    await startAdminServer({
      host: listen,
      port: adminPort,
      metrics,
      starting,
      ending: ending.asked,
      stallAfterMs: stallAfter,
    }),
  );
  const { refusal } = resources.use(await enterCluster(common, logger));
  const { tracer } = resources.use(await openTracing({ ...common, process: kind, instance: id, logger }));
  const progress = (text: string) => parent.announce({ kind: "progress", text });
  const adminAddress = `${host}:${admin.port}`;
  const started = await start({ ...known, adminAddress, ending, tracer, progress });
  ending.asked.removeEventListener("abort", leave);
  admin.show({ ...started, refusal });
  const addresses = { ...started.addresses, admin: adminAddress };
  logger.info(`${kind}.listening`, { ...addresses, ...started.facts });
  parent.announce({ kind: "listening", addresses });
  void started.ready.then(() => parent.announce({ kind: "ready" }));
  await started.finished();
}
