import { setTimeout as sleep } from "node:timers/promises";
import { type MainOptions, MainProcess } from "../../tests/e2e/process-group.ts";

/** A router beside the one that never dies: started again, on its port, each time it has ended. */
export class SecondRouter implements AsyncDisposable {
  readonly #flags: MainOptions["flags"];
  #process: MainProcess;
  #killedAtMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  /** `flags` name its ports. */
  constructor(flags: MainOptions["flags"]) {
    this.#flags = flags;
    this.#process = this.#start();
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
