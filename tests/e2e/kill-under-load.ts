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
}>;

const STREAMS = 8;
const RECOVERY_MS_MAX = 60_000;
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
  const { victim, kills } = options;
  const tally = new StreamTally();
  const recoveryMs: number[] = [];
  const endStreams = streamWithoutPause(cluster.post.bind(cluster), answers, STREAMS, tally);
  try {
    for (let kill = 0; kill < kills; kill++) {
      await pause(200 + ((kill * 137) % 300));
      const [pid] = cluster.pids(victim);
      if (pid === undefined) throw new Error(`no process runs ${victim}`);
      process.kill(pid, "SIGKILL");
      const took = await recovery(cluster, answers, victim, pid);
      recoveryMs.push(took);
      options.onKill?.(kill + 1, took);
    }
  } finally {
    await endStreams();
  }
  const { right, errors, violations } = tally;
  return { kills, right, errors, violations, recoveryMs };
}

/** Until another process has the victim's place and a new request is answered rightly. */
async function recovery(
  cluster: TestCluster,
  answers: readonly KnownAnswer[],
  victim: string,
  dead: number,
): Promise<number> {
  const began = performance.now();
  const [probe] = answers;
  if (probe === undefined) throw new Error("nothing to ask");
  while (performance.now() - began < RECOVERY_MS_MAX) {
    const back = cluster.pids(victim).some((pid) => pid !== dead);
    if (back && (await stream(cluster, probe.prompt)).end === "done") return performance.now() - began;
    await pause(50);
  }
  throw new Error(`the cluster does not answer ${RECOVERY_MS_MAX} ms after ${victim} was killed:\n${cluster.output}`);
}
