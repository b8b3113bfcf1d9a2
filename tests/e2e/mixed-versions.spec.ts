import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@drover/testkit";
import { expect, test } from "vitest";
import { ClusterSecret } from "./cluster-secret.ts";
import { ROOT, TestCluster } from "./test-cluster.ts";

type Hook = "./tests/e2e/other-build.ts" | "./tests/e2e/other-build.ts?agrees";

/** One process of a build whose protocol is a version ahead. */
class OtherBuild implements AsyncDisposable {
  readonly #child: ChildProcess;
  output = "";

  constructor(hook: Hook, ...args: readonly string[]) {
    const flags = ["--conditions=@drover/source", "--import", hook];
    this.#child = spawn(process.execPath, [...flags, "apps/drover/src/main.ts", ...args], { cwd: ROOT });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on("data", (chunk) => {
        this.output += String(chunk);
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

const LIFE = ["--drain-delay", "0s", "--drain-grace", "0s"];
const REFUSED = /the caller speaks protocol (\d+)\/\1 .* cannot serve together/;

const REQUEST = {
  model: "nano",
  messages: [{ role: "user", content: "What is the capital of France?" }],
  temperature: 0,
};

async function answer(cluster: TestCluster): Promise<string | undefined> {
  const response = await cluster.post("/v1/chat/completions", REQUEST);
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content;
}

/** The flags of a process that joins the cluster. */
function joining(cluster: TestCluster, { flags }: ClusterSecret): readonly string[] {
  const scheduler = /^ +scheduler .* grpc (\S+)/m.exec(cluster.output)?.[1] ?? "";
  return ["--model", "models/nano", "--scheduler", scheduler, ...flags, ...LIFE];
}

type Member = Readonly<{ workerId: string; status?: { ready?: boolean; runningCount?: number; draining?: boolean } }>;

async function members(cluster: TestCluster): Promise<readonly Member[]> {
  const state = (await (await fetch(`${cluster.url}/debug/cluster`)).json()) as { workers: readonly Member[] };
  return state.workers;
}

test("a worker and a router of a build that does not agree are refused, say why, and change no answer", async () => {
  using secret = new ClusterSecret();
  await using cluster = await TestCluster.start({ expertWorkers: 2, flags: secret.flags });
  const before = await answer(cluster);
  expect(before).toMatch(/Paris/);

  const hook = "./tests/e2e/other-build.ts";
  const httpPort = await freePort();
  const roles = ["--roles", "attention,experts", "--worker-id", "newer"];
  await using worker = new OtherBuild(hook, "worker", ...roles, ...joining(cluster, secret));
  const flags = ["--http-port", String(httpPort), "--grpc-port", "0", "--max-ready-wait", "0s"];
  await using router = new OtherBuild(hook, "router", ...flags, ...joining(cluster, secret));
  await expect.poll(() => worker.output).toMatch(REFUSED);
  await expect.poll(() => router.output).toMatch(REFUSED);

  const refused = await fetch(`http://127.0.0.1:${httpPort}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(REQUEST),
  });
  expect(refused.status).toBe(503);
  expect(await answer(cluster)).toBe(before);
  expect((await members(cluster)).map(({ workerId }) => workerId)).toEqual(["attention-0", "experts-0", "experts-1"]);
});

test("workers of a newer build that agrees serve beside the others, and answers are the same", async () => {
  using secret = new ClusterSecret();
  await using cluster = await TestCluster.start({ expertWorkers: 1, flags: secret.flags });
  const before = await answer(cluster);
  const hook = "./tests/e2e/other-build.ts?agrees";
  const roles = ["--roles", "attention,experts", "--worker-id", "newer"];
  await using newer = new OtherBuild(hook, "worker", ...roles, ...joining(cluster, secret));
  const isReady = async () => (await members(cluster)).find(({ workerId }) => workerId === "newer")?.status?.ready;
  await expect.poll(isReady).toBe(true);
  // Only the newer worker is left to decode, with experts in both.
  await cluster.askMember("scheduler", "POST /drain?worker=attention-0");
  const drains = async () => (await members(cluster)).some(({ status }) => status?.draining);
  await expect.poll(drains).toBe(true);
  expect(await answer(cluster)).toBe(before);
  expect(newer.output).not.toMatch(/protocol/);
});
