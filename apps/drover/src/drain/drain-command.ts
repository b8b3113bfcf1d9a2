import { type Clock, DroverError, silentLogger, sleepUnlessAborted, systemClock, toDroverError } from "@drover/core";
import { commandConfig, defineConfig, enterCluster, MEMBER_FLAGS } from "@drover/process";
import { endSignals, interruptedStatus } from "../end-signals.ts";
import { DRAIN_POLL_MS } from "../limits.ts";
import { takeOperand } from "../operand.ts";
import { DrainClient } from "./drain-client.ts";
import { drainProgress } from "./drain-progress.ts";

const USAGE = `Usage: drover drain WORKER [flags]

Asks a worker to take nothing new, to finish what it has, and to let others load its experts; then it may be ended. It stays idle until
it is, and a new life of it serves again. Ends with 0 when the worker is drained, and with 1 when it cannot be, or the time is up.`;

const drainSpec = defineConfig({
  url: {
    kind: "string",
    form: "url",
    default: "http://127.0.0.1:9400",
    variable: "DROVER_SCHEDULER_URL",
    help: "The admin address of any scheduler. In the environment DROVER_SCHEDULER_URL: DROVER_URL is a router's.",
  },
  clusterSecretFile: MEMBER_FLAGS.clusterSecretFile,
  undo: { kind: "boolean", help: "Let the worker serve again." },
  timeout: { kind: "duration", default: "10m", min: 0, valueName: "TIME", help: "How long to wait." },
});

/** `drover drain WORKER`. Errors: `invalid_argument` without a name, and those of `DrainClient.ask` at the first time. */
export async function runDrain(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  print: (line: string) => void = (line) => process.stdout.write(`${line}\n`),
): Promise<number> {
  const { operand: worker, flags } = takeOperand(argv, ["--undo", "--no-undo"]);
  const config = commandConfig(drainSpec, { argv: flags, env, command: "drover drain", usage: USAGE });
  if (worker === undefined)
    throw new DroverError("invalid_argument", "drain needs a worker's id: drover drain WORKER [flags].");
  const { clusterSecretFile } = config;
  using _membership = await enterCluster({ clusterSecretFile, clusterTls: undefined, membersOnly: true }, silentLogger);
  const ended = endSignals();
  const client = new DrainClient(config.url);
  const wait = { worker, client, timeoutMs: config.timeout, clock: systemClock, print };
  const status = config.undo ? await waitUntilServing(wait, ended) : await waitUntilDrained(wait, ended);
  const interrupted = interruptedStatus(ended);
  if (interrupted !== undefined && !config.undo) print(`${worker} stays asked to drain: --undo takes that back.`);
  return interrupted ?? status;
}

type DrainWait = Readonly<{
  worker: string;
  client: Pick<DrainClient, "ask">;
  timeoutMs: number;
  clock: Clock;
  print: (line: string) => void;
}>;

/**
 * Takes a drain back, and asks again until the worker says that it does not drain: a scheduler that was asked may be gone before it has told the worker.
 * Resolves with the exit status: 0 also where the worker is gone or was started anew, 1 when the time is up. Errors: those of the first question.
 */
export async function waitUntilServing(
  { worker, client, timeoutMs, clock, print }: DrainWait,
  signal: AbortSignal,
): Promise<number> {
  const untilMs = clock.monotonic() + timeoutMs;
  const { incarnation, draining } = await client.ask({ worker, undo: true }, signal);
  print(`${worker} is asked to serve again.`);
  for (let isOver = !draining; !isOver; ) {
    if (clock.monotonic() >= untilMs) {
      print(`the time is up, and ${worker} still drains.`);
      return 1;
    }
    await sleepUnlessAborted(clock, DRAIN_POLL_MS, signal);
    try {
      const reply = await client.ask({ worker, undo: true, incarnation }, signal);
      isOver = !reply.draining || reply.incarnation !== incarnation;
    } catch (error) {
      if (signal.aborted) return 1;
      // Another scheduler may be about to lead.
      const { code } = toDroverError(error);
      if (code === "unauthenticated") throw error;
      isOver = code === "not_found";
    }
  }
  return 0;
}

/** Asks again and again and prints what changes; resolves with the exit status. Errors: those of the first question. */
export async function waitUntilDrained(
  { worker, client, timeoutMs, clock, print }: DrainWait,
  signal: AbortSignal,
): Promise<number> {
  const untilMs = clock.monotonic() + timeoutMs;
  const { incarnation } = await client.ask({ worker, undo: false }, signal);
  let last = "";
  const say = (text: string) => {
    if (text !== last) print(text);
    last = text;
  };
  for (;;) {
    try {
      const reply = await client.ask({ worker, undo: false, incarnation }, signal);
      const { text, status } = drainProgress(worker, reply, incarnation);
      say(text);
      if (status !== undefined) return status;
    } catch (error) {
      if (signal.aborted) return 1;
      // Another scheduler may be about to lead.
      const { code, message } = toDroverError(error);
      if (code === "unauthenticated") throw error;
      say(code === "not_found" ? `${worker} is gone before it was drained.` : message);
      if (code === "not_found") return 1;
    }
    if (clock.monotonic() >= untilMs) {
      print(`the time is up, and ${worker} is not drained. It stays asked: --undo takes that back.`);
      return 1;
    }
    await sleepUnlessAborted(clock, DRAIN_POLL_MS, signal);
  }
}
