import { PATIENCE_MS } from "@drover/testkit";
import {
  knownAnswers as answersOf,
  type KnownAnswer,
  StreamTally,
  streamAnswer,
  streamWithoutPause,
} from "./known-stream.ts";
import type { TestCluster } from "./test-cluster.ts";

export type KillReport = Readonly<{
  kills: number;
  /** Streams that ended with [DONE] and the right text. */
  right: number;
  /** Streams that ended with an error, by what it said; their text so far was right. */
  errors: ReadonlyMap<string, number>;
  /** What must never be: wrong, shortened, repeated or unending text. */
  violations: readonly string[];
  /** From each kill to the next right answer. */
  recoveryMs: readonly number[];
  /** The longest pause between two tokens of each stream. */
  pausesMs: readonly number[];
}>;

const STREAMS = 8;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const stream = (cluster: TestCluster, prompt: string) => streamAnswer(cluster.post.bind(cluster), prompt);

/** The answers of this cluster, without faults. */
export const knownAnswers = (cluster: TestCluster) => answersOf(cluster.post.bind(cluster));

/** Kills the process whose command line contains `victim`, each time after it is back, while streams run without a pause. */
export async function killUnderLoad(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  options: Readonly<{ victim: string; kills: number; onKill?: (kill: number, recoveryMs: number) => void }>,
): Promise<KillReport> {
  const { victim, kills, onKill } = options;
  const strike = async () => {
    const [pid] = cluster.pids(victim);
    if (pid === undefined) throw new Error(`no process runs ${victim}`);
    process.kill(pid, "SIGKILL");
    return () => cluster.pids(victim).some((other) => other !== pid);
  };
  return strikeUnderLoad(cluster, answers, {
    name: victim,
    strike,
    strikes: kills,
    ...(onKill && { onStrike: onKill }),
  });
}

/**
 * Does something to a cluster while streams run without a pause, each time after a new request was answered rightly. What `strike` resolves
 * with says whether the victim is back.
 */
export async function strikeUnderLoad(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  options: Readonly<{
    name: string;
    strike: () => Promise<() => boolean>;
    strikes: number;
    onStrike?: (strike: number, recoveryMs: number) => void;
  }>,
): Promise<KillReport> {
  const { name, strike, strikes, onStrike } = options;
  const tally = new StreamTally();
  const recoveryMs: number[] = [];
  const endStreams = streamWithoutPause(cluster.post.bind(cluster), answers, STREAMS, tally);
  try {
    for (let count = 0; count < strikes; count++) {
      await pause(200 + ((count * 137) % 300));
      const isBack = await strike();
      const took = await recovery(cluster, answers, name, isBack);
      recoveryMs.push(took);
      onStrike?.(count + 1, took);
    }
  } finally {
    await endStreams();
  }
  const { right, errors, violations, pausesMs } = tally;
  return { kills: strikes, right, errors, violations, recoveryMs, pausesMs };
}

/** Until the victim is back and a new request is answered rightly. */
async function recovery(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  name: string,
  isBack: () => boolean,
): Promise<number> {
  const began = performance.now();
  const [probe] = answers;
  if (probe === undefined) throw new Error("nothing to ask");
  while (performance.now() - began < PATIENCE_MS) {
    if (isBack() && (await stream(cluster, probe.prompt)).end === "done") return performance.now() - began;
    await pause(50);
  }
  throw new Error(`the cluster does not answer ${PATIENCE_MS} ms after ${name} was struck:\n${cluster.output}`);
}
