import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { attachParent, parseConfig } from "@drover/config";
import { DroverError, systemClock } from "@drover/core";
import { ChatClient } from "./chat-client.ts";
import { Cluster, describeQueue } from "./cluster.ts";
import type { Mains } from "./fleet.ts";
import { Guard } from "./guard.ts";
import { launcherGone } from "./launcher.ts";
import { WAITING_NOTICE_MS } from "./limits.ts";
import { answerOnce } from "./prompt.ts";
import { chooseQueue } from "./queue-choice.ts";
import { report, say } from "./report.ts";
import { screen } from "./screen.ts";
import type { SupervisedEvent } from "./supervised.ts";
import { upSpec } from "./up-config.ts";

export type UpOptions = Readonly<{
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  mains: Mains;
  /** The checkpoint that is served when no other is named. */
  defaultModel: string;
}>;

const INTERRUPTED_EXIT_STATUS = 130;

/**
 * `drover up`: runs until it is told to end (exit status 0), or answers `--prompt` once (0, or 1 when it could not). Whatever ends
 * it, its children end too.
 */
export async function runUp({ argv, env, mains, defaultModel }: UpOptions): Promise<number> {
  const config = parseConfig(upSpec, { argv, env });
  const modelFolder = resolve(config.model ?? defaultModel);
  const choice = chooseQueue(config.queue, env);
  const apiKey = config.apiKeyFile === undefined ? undefined : firstKey(config.apiKeyFile);
  const parent = attachParent();
  const { ended, hurry } = endSignals([parent.gone, launcherGone(env)]);
  const guard = new Guard();
  const emit = (event: SupervisedEvent) => !ended.aborted && report(event, config.verbose);
  const cluster = new Cluster({ config, mains, modelFolder, env }, choice, { clock: systemClock, guard, emit });
  hurry.addEventListener("abort", () => void cluster.stop(0));
  try {
    say(`starting ${config.attentionWorkers + config.expertWorkers} workers for ${modelFolder}`);
    const notice = setInterval(() => say(`still waiting for ${cluster.awaited.join(", ")}`), WAITING_NOTICE_MS);
    await untilAborted(cluster.start(), ended).finally(() => clearInterval(notice));
    const { http = "", grpc = "" } = cluster.routerAddresses;
    const modelName = config.modelName ?? modelFolder.split("/").at(-1) ?? "";
    const queue = describeQueue(choice, cluster.rows);
    const page = screen({ modelName, queue, http, grpc, rows: cluster.rows });
    (config.prompt === undefined ? process.stdout : process.stderr).write(page);
    parent.announce({ kind: "listening", addresses: cluster.routerAddresses });
    parent.announce({ kind: "ready" });
    if (config.prompt === undefined) await aborted(ended);
    else
      process.stdout.write(
        `${await answerOnce(config.prompt, new ChatClient({ url: `http://${http}`, apiKey }), ended)}\n`,
      );
    return 0;
  } catch (error) {
    if (!ended.aborted) throw error;
    return config.prompt === undefined ? 0 : INTERRUPTED_EXIT_STATUS;
  } finally {
    if (config.prompt === undefined) say("ending");
    await cluster.stop();
    await guard.close();
  }
}

/** `ended` at the first signal to end, `hurry` at the second one. */
function endSignals(others: readonly AbortSignal[]): { ended: AbortSignal; hurry: AbortSignal } {
  const ended = new AbortController();
  const hurry = new AbortController();
  const end = () => (ended.signal.aborted ? hurry.abort() : ended.abort());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, end);
  for (const other of others) {
    other.addEventListener("abort", () => ended.abort(), { once: true });
    if (other.aborted) ended.abort();
  }
  return { ended: ended.signal, hurry: hurry.signal };
}

function firstKey(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.trim())
      .find((line) => line !== "");
  } catch (cause) {
    throw new DroverError("invalid_argument", `--api-key-file: ${file} cannot be read.`, { cause });
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  await Promise.race([work, aborted(signal)]);
  signal.throwIfAborted();
}
