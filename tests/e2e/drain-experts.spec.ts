import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ClusterSecret } from "./cluster-secret.ts";
import { knownAnswers } from "./known-stream.ts";
import { SteadyStreams } from "./steady-streams.ts";
import { ROOT, TestCluster } from "./test-cluster.ts";

const DROVER = ["--conditions=@drover/source", "apps/drover/src/main.ts"];

/** Of nano: in each, the workers' counts differ by one at most. */
const MOE_LAYERS = 4;

type Ended = Readonly<{ status: number | null; output: string }>;

function start(...args: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [...DROVER, ...args], { cwd: ROOT });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (chunk) => {
      output += String(chunk);
    });
  return { child, ended: once(child, "exit").then(([status]) => ({ status, output })) };
}

/** `drover drain` at the scheduler's admin port. */
const drain = async (cluster: TestCluster, ...args: readonly string[]): Promise<Ended> =>
  start("drain", ...args, "--url", await cluster.adminUrl("scheduler"), "--cluster-secret-file", cluster.secretFile)
    .ended;

type WorkerView = Readonly<{ workerId: string; expertCount?: number; drain?: { obstacle?: string } }>;

async function clusterView(cluster: TestCluster) {
  const response = await fetch(`${cluster.url}/debug/cluster`);
  return (await response.json()) as Readonly<{ workers: readonly WorkerView[]; expertShortage?: string }>;
}

/** Experts by worker, of those that have any. */
async function heldExperts(cluster: TestCluster): Promise<Record<string, number>> {
  const { workers } = await clusterView(cluster);
  return Object.fromEntries(workers.flatMap((w) => (w.expertCount ? [[w.workerId, w.expertCount]] : [])));
}

/** Steps of choices whose experts gave no answer, on the one attention worker. */
async function parkedCount(cluster: TestCluster): Promise<number> {
  const text = await (await fetch(`${await cluster.adminUrl("attention-0")}/metrics`)).text();
  return Number(/^drover_parked_choices_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? Number.NaN);
}

test("one of three expert workers drains under load, by command and by SIGTERM, and no stream notices", async () => {
  using secret = new ClusterSecret();
  await using cluster = await TestCluster.start({ expertWorkers: 2, flags: secret.flags });
  const answers = await knownAnswers(cluster.post.bind(cluster));
  const scheduler = /^ +scheduler .* grpc (\S+)/m.exec(cluster.output)?.[1] ?? "";
  const streams = new SteadyStreams(cluster, answers);
  const extra = start(
    ...["worker", "--roles", "experts", "--worker-id", "extra", "--model", "models/nano", "--scheduler", scheduler],
    ...secret.flags,
    ...["--drain-delay", "0s", "--drain-grace", "60s"],
  );
  try {
    const held = () => heldExperts(cluster);
    await expect.poll(async () => Object.keys(await held()).length).toBe(3);
    const total = async () => Object.values(await held()).reduce((sum, count) => sum + count, 0);
    await expect.poll(total).toBe(512);
    const counts = Object.values(await held());
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(MOE_LAYERS);

    expect(await drain(cluster, "nobody")).toMatchObject({
      status: 1,
      output: expect.stringMatching(/attention-0, experts-0, experts-1, extra/),
    });
    expect(await drain(cluster, "experts-1")).toMatchObject({
      status: 0,
      output: expect.stringMatching(/experts-1 is drained/),
    });
    expect(await held()).toEqual({ "experts-0": 256, extra: 256 });
    expect((await drain(cluster, "experts-1", "--undo")).status).toBe(0);
    await expect.poll(async () => Object.keys(await held()).length).toBe(3);

    extra.child.kill("SIGTERM");
    const { status, output } = await extra.ended;
    expect(output).toMatch(/"finished":true.*"event":"worker.drained"/);
    expect(status).toBe(0);
    expect(await held()).toEqual({ "experts-0": 256, "experts-1": 256 });
  } finally {
    extra.child.kill("SIGKILL");
    await streams.end();
  }
  const { right, errors, violations } = streams.tally;
  const parked = await parkedCount(cluster);
  console.log(
    `experts moved four times: ${right} right, ${parked} parked, longest pause ${Math.round(streams.longestPauseMs)} ms`,
  );
  expect({ violations, errors: [...errors], parked }, cluster.output).toEqual({
    violations: [],
    errors: [],
    parked: 0,
  });
  expect(right).toBeGreaterThan(8);
});

test("where memory forbids it owners stay: rows wait until the worker is back, and no answer changes", async () => {
  const { text_config: model } = JSON.parse(readFileSync(join(ROOT, "models/nano/config.json"), "utf8")) as {
    text_config: { hidden_size: number; intermediate_size: number };
  };
  // Gate, up and down in f32. Two workers hold 600 of the 512 experts, one alone does not.
  const memory = 300 * 3 * model.hidden_size * model.intermediate_size * 4;
  await using cluster = await TestCluster.start({ expertWorkers: 2, flags: ["--expert-memory", `${memory}`] });
  const answers = await knownAnswers(cluster.post.bind(cluster));
  const streams = new SteadyStreams(cluster, answers);
  try {
    expect(await drain(cluster, "experts-1")).toMatchObject({
      status: 1,
      output: expect.stringMatching(/cannot be drained: .* lack memory for 212 more experts/),
    });
    const { expertShortage, workers } = await clusterView(cluster);
    expect(expertShortage).toMatch(/the experts of experts-1 stay there/);
    expect(workers.find(({ workerId }) => workerId === "experts-1")?.drain?.obstacle).toBe(expertShortage);
    const both = { "experts-0": 256, "experts-1": 256 };
    expect([await heldExperts(cluster), await parkedCount(cluster)]).toEqual([both, 0]);

    const [pid] = cluster.pids("--worker-id=experts-1");
    if (pid !== undefined) process.kill(pid, "SIGTERM");
    await expect.poll(() => parkedCount(cluster)).toBeGreaterThan(0);
    await expect.poll(() => cluster.pids("--worker-id=experts-1").some((other) => other !== pid)).toBe(true);
    // Answers that were nearly whole end right while the worker is away: count from its return. Until then the other one has the
    // hottest of its experts, as many as fit, and gives them up again.
    await expect.poll(async () => (await heldExperts(cluster))["experts-1"]).toBe(256);
    const back = streams.tally.right;
    await expect.poll(() => streams.tally.right).toBeGreaterThan(back + 8);
    await expect.poll(() => heldExperts(cluster)).toEqual(both);
  } finally {
    await streams.end();
  }
  const { right, errors, violations } = streams.tally;
  const parked = await parkedCount(cluster);
  console.log(
    `experts away until their worker is back: ${right} right, ${parked} parked, longest pause ${Math.round(streams.longestPauseMs)} ms`,
  );
  expect({ violations, errors: [...errors] }, cluster.output).toEqual({ violations: [], errors: [] });
});
