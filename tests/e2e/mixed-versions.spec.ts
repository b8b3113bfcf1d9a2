import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { freePort } from "@drover/testkit";
import { expect, test } from "vitest";
import { ROOT, TestCluster } from "./test-cluster.ts";

const TIMEOUT_MS = 30_000;

/** One process of a build whose protocol is a version ahead. */
class OtherBuild implements AsyncDisposable {
  readonly #child: ChildProcess;
  output = "";

  constructor(...args: readonly string[]) {
    const flags = ["--conditions=@drover/source", "--import", "./tests/e2e/other-build.ts"];
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

test("a worker and a router of a build that does not agree are refused, say why, and change no answer", {
  timeout: 90_000,
}, async () => {
  await using cluster = await TestCluster.start({ expertWorkers: 2 });
  const request = {
    model: "nano",
    messages: [{ role: "user", content: "What is the capital of France?" }],
    temperature: 0,
  };
  const answer = async () => {
    const response = await cluster.post("/v1/chat/completions", request);
    const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
    return choices[0]?.message.content;
  };
  const before = await answer();
  expect(before).toMatch(/Paris/);

  const scheduler = /^ +scheduler .* grpc (\S+)/m.exec(cluster.output)?.[1] ?? "";
  const shared = ["--model", "models/nano", "--scheduler", scheduler, ...LIFE];
  const httpPort = await freePort();
  await using worker = new OtherBuild("worker", "--roles", "attention,experts", "--worker-id", "newer", ...shared);
  await using router = new OtherBuild("router", "--http-port", String(httpPort), "--grpc-port", "0", ...shared);
  await expect.poll(() => worker.output, { timeout: TIMEOUT_MS }).toMatch(REFUSED);
  await expect.poll(() => router.output, { timeout: TIMEOUT_MS }).toMatch(REFUSED);

  const refused = await fetch(`http://127.0.0.1:${httpPort}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(request),
  });
  expect(refused.status).toBe(503);
  expect(await answer()).toBe(before);
  const state = (await (await fetch(`${cluster.url}/debug/cluster`)).json()) as { workers: { workerId: string }[] };
  expect(state.workers.map(({ workerId }) => workerId)).toEqual(["attention-0", "experts-0", "experts-1"]);
});
