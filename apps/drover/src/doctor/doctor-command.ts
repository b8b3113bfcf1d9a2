import { existsSync } from "node:fs";
import { neverAborted, silentLogger, toDroverError } from "@drover/core";
import { inspectCards } from "@drover/cuda";
import { commandConfig, defineConfig, enterCluster, MEMBER_FLAGS } from "@drover/process";
import { TopClient } from "../top/top-client.ts";
import { readApiKey } from "../up/api-key.ts";
import { judgeCards } from "./card-check.ts";
import { checkCertificates } from "./certificate-check.ts";
import { checkCluster, checkRouterClock, checkSchedulers } from "./cluster-check.ts";
import { doctorReport } from "./doctor-report.ts";
import { exitStatus, type Finding } from "./finding.ts";
import { checkMachine } from "./machine-check.ts";
import { checkModelFolder } from "./model-check.ts";
import { checkRedis } from "./redis-check.ts";

const USAGE = `Usage: drover doctor [flags]

Looks at this machine, and at what the flags name: Redis, schedulers, a router's whole cluster, a checkpoint. Says what is wrong and
what to do about it. Changes nothing. The exit status is 0 where all is well, 1 with warnings, 2 where something is wrong.`;

const doctorSpec = defineConfig({
  redis: {
    kind: "string",
    valueName: "URL",
    help: "The queue's Redis: redis://HOST:PORT or redis+sentinel://HOST:PORT,HOST:PORT/NAME.",
  },
  scheduler: { kind: "list", valueName: "HOST:PORT[,...]", help: "Schedulers' gRPC addresses." },
  url: { kind: "string", form: "url", valueName: "URL", help: "A router's HTTP address: its workers are asked too." },
  apiKeyFile: { kind: "string", valueName: "FILE", help: "A file whose first key is used for --url." },
  clusterSecretFile: MEMBER_FLAGS.clusterSecretFile,
  clusterTls: {
    kind: "string",
    valueName: "DIR",
    help: "The folder of a process's --cluster-tls: its certificate is looked at, and peers are asked with it.",
  },
  tlsCertificateFile: {
    kind: "string",
    valueName: "FILE",
    help: "A router's certificate: its dates, and whether it names the host of --url.",
  },
  model: { kind: "string", valueName: "DIR", help: "A checkpoint's folder." },
  deep: { kind: "boolean", help: "Hash every file of a converted checkpoint." },
  ports: { kind: "list", valueName: "PORT[,...]", help: "Ports that should be free on this machine." },
  json: { kind: "boolean", help: "Print JSON." },
});

/** `drover doctor`: prints what it finds; resolves with the exit status. */
export async function runDoctor(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (text: string) => void = (text) => process.stdout.write(text),
): Promise<number> {
  const config = commandConfig(doctorSpec, { argv, env, command: "drover doctor", usage: USAGE });
  const certificates = await checkCertificates(config, Date.now());
  // With one that cannot be used nobody can be asked.
  const clusterTls = certificates.some(({ state }) => state === "fail") ? undefined : config.clusterTls;
  using _membership = await enterCluster({ ...config, clusterTls, membersOnly: true }, silentLogger);
  const model =
    config.model === undefined ? undefined : await checkModelFolder(config.model, config.deep, neverAborted);
  const machine = await checkMachine({
    ports: config.ports.map(Number),
    neededBytes: model?.weightBytes,
    loadRuntime: async () => (await import("@drover/onnx")).runtimeVersion(),
  });
  const cards = judgeCards(await inspectCards(), existsSync("/dev/nvidiactl"), model?.weightBytes);
  const others = await Promise.all([
    config.redis === undefined ? [] : checkRedis(config.redis),
    checkSchedulers(config.scheduler, neverAborted),
    config.url === undefined ? [] : checkRouter(config.url, config.apiKeyFile),
  ]);
  const findings = [...machine, ...cards, ...certificates, ...(model?.findings ?? []), ...others.flat()];
  print(
    config.json ? `${JSON.stringify({ status: exitStatus(findings), findings }, null, 2)}\n` : doctorReport(findings),
  );
  return exitStatus(findings);
}

async function checkRouter(url: string, apiKeyFile: string | undefined): Promise<readonly Finding[]> {
  const clock = await checkRouterClock(url, neverAborted);
  if (clock.some(({ state, check }) => state === "fail" && check === "reachable")) return clock;
  try {
    const apiKey = apiKeyFile === undefined ? undefined : readApiKey(apiKeyFile);
    const state = await new TopClient({ url, apiKey }).state(neverAborted);
    return [...clock, ...(await checkCluster(state, Date.now(), neverAborted))];
  } catch (error) {
    const found = toDroverError(error).message;
    const advice = "Name a router's HTTP address by --url, and a key by --api-key-file where it asks for one.";
    return [...clock, { subject: "router", check: "cluster", state: "fail", found, advice }];
  }
}
