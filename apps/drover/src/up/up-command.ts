import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { recognizeFolder } from "@drover/checkpoint";
import { DroverError, systemClock, whenAborted } from "@drover/core";
import { attachParent, parseConfig } from "@drover/process";
import { ChatClient } from "../chat/chat-client.ts";
import { answerOnce } from "../chat/prompt.ts";
import { endSignals, interruptedStatus } from "../end-signals.ts";
import { WAITING_NOTICE_MS } from "../limits.ts";
import { checkModelFiles } from "../model-files.ts";
import { report, say } from "../report.ts";
import { screen } from "../top/screen.ts";
import { readApiKey } from "./api-key.ts";
import { Guard } from "./guard.ts";
import { launcherGone } from "./launcher.ts";
import { describeQueue, LocalCluster } from "./local-cluster.ts";
import type { Mains } from "./process-plans.ts";
import { chooseQueue } from "./queue-choice.ts";
import { checkStart } from "./start-checks.ts";
import type { SupervisedEvent } from "./supervised.ts";
import { upSpec } from "./up-config.ts";

export type UpOptions = Readonly<{
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  mains: Mains;
  /** The checkpoint that is served when no other is named. */
  defaultModel: string;
}>;

/**
 * `drover up`: runs until it is told to end (exit status 0), or answers `--prompt` once (0, or 1 when it could not). A signal that comes before
 * the cluster serves, or the answer is there, gives the signal's status. Whatever ends it, its children end too.
 */
export async function runUp({ argv, env, mains, defaultModel }: UpOptions): Promise<number> {
  const config = parseConfig(upSpec, { argv, env });
  const modelFolder = resolve(config.model ?? defaultModel);
  if (!existsSync(join(modelFolder, "config.json"))) {
    const what = await recognizeFolder(modelFolder);
    const more = what === undefined ? "" : `: ${what}`;
    throw new DroverError(
      "invalid_argument",
      `--model: there is no checkpoint (no config.json) in ${modelFolder}${more}.`,
    );
  }
  const { readsImages, noImagesBecause } = await checkModelFiles(modelFolder);
  const { modelName, workers } = await checkStart(config, modelFolder, readsImages);
  const choice = chooseQueue(config.queue, env);
  const apiKey = config.apiKeyFile === undefined ? undefined : readApiKey(config.apiKeyFile);
  const parent = attachParent();
  const hurry = new AbortController();
  const ended = endSignals({ others: [parent.gone, launcherGone(env)], again: (reason) => hurry.abort(reason) });
  const guard = new Guard();
  let ending = false;
  const emit = (event: SupervisedEvent) => {
    // What breaks while everything ends was meant to.
    if (!ending && !ended.aborted) report(event, config.verbose);
  };
  const facts = { workers, modelFolder, readsImages };
  const cluster = new LocalCluster({ config, mains, env, ...facts }, choice, { clock: systemClock, guard, emit });
  hurry.signal.addEventListener("abort", () => void cluster.stop(0));
  try {
    const workerCount = workers.attentionWorkers + workers.expertWorkers + config.contextWorkers;
    say(`starting ${workerCount} workers for ${modelFolder}`);
    if (noImagesBecause !== undefined) say(`serving text alone: pictures cannot be read, since ${noImagesBecause}`);
    const notice = setInterval(() => say(`still waiting for ${cluster.awaited.join(", ")}`), WAITING_NOTICE_MS);
    await untilAborted(cluster.start(), ended).finally(() => clearInterval(notice));
    const { http = "", grpc = "" } = cluster.routerAddresses;
    const queue = describeQueue(choice, cluster.rows);
    const scheme = config.tlsCertificateFile === undefined ? "http" : "https";
    const url = `${scheme}://${http}`;
    const secretFile = cluster.clusterSecretFile;
    if (config.prompt === undefined)
      process.stdout.write(screen({ modelName, queue, url, grpc, secretFile, rows: cluster.rows }));
    else say(`all is ready; asking ${modelName}`);
    parent.announce({ kind: "listening", addresses: cluster.routerAddresses });
    parent.announce({ kind: "ready" });
    if (config.prompt === undefined) {
      await whenAborted(ended);
      return 0;
    }
    const client = new ChatClient({ url, apiKey });
    process.stdout.write(`${await answerOnce(config.prompt, client, ended)}\n`);
    return 0;
  } catch (error) {
    if (!ended.aborted) throw error;
    return interruptedStatus(ended) ?? 1;
  } finally {
    ending = true;
    if (config.prompt === undefined) say("ending");
    await cluster.stop();
    await guard.close();
  }
}

async function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  await Promise.race([work, whenAborted(signal)]);
  signal.throwIfAborted();
}
