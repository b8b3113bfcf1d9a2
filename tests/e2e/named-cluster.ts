import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePort, PATIENCE_MS, TestRedis } from "@drover/testkit";
import { MainProcess } from "./process-group.ts";
import { ROOT } from "./test-cluster.ts";

export const PARTS = ["redis", "scheduler", "router", "attention", "experts"] as const;
export type Part = (typeof PARTS)[number];

/** What is asked of a part that was killed meanwhile is asked again. */
const ANSWER_MS_MAX = 60_000;
const QUESTION = {
  model: "nano",
  messages: [{ role: "user", content: "What is the capital of France?" }],
  temperature: 0,
};

/** A cluster whose processes find Redis and the scheduler by name, each started by itself, on whatever address it has then. */
export class NamedCluster implements AsyncDisposable {
  readonly #redisBinary: string;
  readonly #schedulerPort: number;
  readonly #redisPort: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "drover-names-"));
  readonly #names: Record<string, string> = {};
  readonly #processes = new Map<Part, MainProcess>();
  readonly #ended: MainProcess[] = [];
  #redis: TestRedis | undefined;

  private constructor(redisBinary: string, ports: readonly [number, number]) {
    this.#redisBinary = redisBinary;
    [this.#schedulerPort, this.#redisPort] = ports;
    this.#publish();
  }

  static async create(redisBinary: string): Promise<NamedCluster> {
    return new NamedCluster(redisBinary, [await freePort(), await freePort()]);
  }

  get output(): string {
    return [...this.#ended, ...this.#processes.values()].map(({ output }) => output).join("\n");
  }

  /** Starts a part on this loopback address; its name leads there from then on. Resolves when it listens, whoever it still waits for. */
  async start(part: Part, host = "127.0.0.2"): Promise<void> {
    if (part === "redis") {
      this.#redis = new TestRedis(this.#redisBinary, this.#redisPort, host);
      await this.#redis.start();
    } else this.#processes.set(part, new MainProcess(this.#main(part), this.#options(part, host)));
    this.#names[`${part}.test`] = host;
    this.#publish();
    await this.#processes.get(part)?.listening;
  }

  /** Kills a part. Its name leads to where nobody is until it is started again. */
  async kill(part: Part): Promise<void> {
    if (part === "redis") await this.#redis?.[Symbol.asyncDispose]();
    const process = this.#processes.get(part);
    if (process === undefined) return;
    process.child.kill("SIGKILL");
    this.#ended.push(process);
    this.#processes.delete(part);
  }

  /** Resolves when every process is ready and a question gets nano's right answer. Errors: where that takes too long, or one has ended. */
  async serves(): Promise<void> {
    const limit = performance.now() + PATIENCE_MS;
    while (!(await this.#answers())) {
      const ended = [...this.#processes].find(([, { child }]) => child.exitCode !== null || child.signalCode !== null);
      if (ended !== undefined) throw new Error(`${ended[0]} has ended:\n${this.output}`);
      if (performance.now() > limit) throw new Error(`the cluster does not serve:\n${this.output}`);
      await sleep(100);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#processes.values()) child.kill("SIGKILL");
    await this.#redis?.[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true });
  }

  async #answers(): Promise<boolean> {
    for (const { readyz } of await this.#addresses()) if (!(await ok(readyz))) return false;
    const { http } = (await this.#addresses()).find((one) => one.http !== undefined) ?? {};
    const response = await fetch(`http://${http}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(QUESTION),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    }).catch(() => undefined);
    return response?.ok === true && (await response.text()).includes("The capital of France is Paris.");
  }

  #addresses() {
    return Promise.all(
      [...this.#processes.values()].map(async ({ listening }) => {
        const { admin, http } = await listening;
        return { readyz: `http://${admin}/readyz`, http };
      }),
    );
  }

  #main(part: Exclude<Part, "redis">) {
    return part === "scheduler" || part === "router" ? part : "worker";
  }

  #options(part: Exclude<Part, "redis">, host: string) {
    const hook = pathToFileURL(join(import.meta.dirname, "names-hook.ts"));
    hook.searchParams.set("names", this.#namesFile);
    const queue = `redis://redis.test:${this.#redisPort}`;
    const scheduler = `scheduler.test:${this.#schedulerPort}`;
    const model = join(ROOT, "models/nano");
    const flags = {
      scheduler: { listen: host, "model-name": "nano", "grpc-port": this.#schedulerPort, queue },
      router: { model, scheduler, queue, "http-port": 0, "grpc-port": 0 },
      attention: { model, scheduler, roles: "attention", "worker-id": "attention-0" },
      experts: { model, scheduler, roles: "experts", "worker-id": "experts-0" },
    };
    return { flags: flags[part], nodeFlags: [`--import=${hook.href}`] };
  }

  get #namesFile(): string {
    return join(this.#folder, "names.json");
  }

  #publish(): void {
    writeFileSync(this.#namesFile, JSON.stringify(this.#names));
  }
}

const ok = (url: string) =>
  fetch(url).then(
    (response) => response.ok,
    () => false,
  );
