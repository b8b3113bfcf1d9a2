import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { at } from "@drover/core";
import { freePort } from "@drover/testkit";
import type { ClusterSecret } from "../../tests/e2e/cluster-secret.ts";
import { type MainOptions, MainProcess } from "../../tests/e2e/process-group.ts";
import { ROOT, type TestCluster } from "../../tests/e2e/test-cluster.ts";

/** A router beside the one that never dies: started again, on its port, each time it has ended. */
export class SecondRouter implements AsyncDisposable {
  readonly #flags: MainOptions["flags"];
  #process: MainProcess;
  #killedAtMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  readonly url: string;

  private constructor(port: number, flags: MainOptions["flags"]) {
    this.url = `http://127.0.0.1:${port}`;
    this.#flags = { ...flags, "http-port": port, "grpc-port": 0 };
    this.#process = this.#start();
  }

  /** Once it is ready. `redisUrl`: of the cluster's queue; undefined where the scheduler has it. */
  static async beside(
    cluster: TestCluster,
    secret: ClusterSecret,
    redisUrl: string | undefined,
  ): Promise<SecondRouter> {
    // The screen comes once everything is ready.
    await cluster.adminUrl("scheduler");
    const scheduler = /^ +scheduler .*grpc (\S+)/m.exec(cluster.output)?.[1];
    if (scheduler === undefined) throw new Error(`no scheduler is shown:\n${cluster.output}`);
    const router = new SecondRouter(await freePort(), {
      ...{ model: join(ROOT, "models/nano"), "model-name": "nano", scheduler },
      ...{ queue: redisUrl ?? "scheduler", "cluster-secret-file": at(secret.flags, 1) },
    });
    await router.ready;
    return router;
  }

  get pid(): number | undefined {
    return this.#process.child.exitCode === null && this.#process.child.signalCode === null
      ? this.#process.child.pid
      : undefined;
  }

  /** When it was last killed, on the monotonic scale. */
  get killedAtMs(): number {
    return this.#killedAtMs;
  }

  get ready(): Promise<void> {
    return this.#process.ready;
  }

  kill(): void {
    this.#killedAtMs = performance.now();
    this.#process.child.kill("SIGKILL");
  }

  #start(): MainProcess {
    const started = new MainProcess("router", { flags: this.#flags });
    started.child.once("exit", () => {
      if (!this.#isOver) void sleep(200).then(() => this.#restart());
    });
    return started;
  }

  #restart(): void {
    if (!this.#isOver) this.#process = this.#start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    await this.#process.end();
  }
}
