import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { ROOT } from "./test-cluster.ts";

type Announcement = { kind: string; addresses?: Record<string, string>; text?: string };
type Main = "router" | "scheduler" | "worker";

export type MainOptions = Readonly<{
  flags: Readonly<Record<string, string | number>>;
  /** A network namespace to run in. */
  namespace?: string;
  nodeFlags?: readonly string[];
}>;

/** One of Drover's processes, started by itself as on a machine of its own. */
export class MainProcess {
  readonly child: ChildProcess;
  readonly listening: Promise<Readonly<Record<string, string>>>;
  readonly ready: Promise<void>;
  #output = "";

  constructor(main: Main, { flags, namespace, nodeFlags = [] }: MainOptions) {
    const args = [
      ...nodeFlags,
      "--conditions=@drover/source",
      `apps/${main}/src/main.ts`,
      ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`),
    ];
    const command = namespace === undefined ? process.execPath : "ip";
    const prefix = namespace === undefined ? [] : ["netns", "exec", namespace, process.execPath];
    this.child = spawn(command, [...prefix, ...args], { cwd: ROOT, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on("data", (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-20_000);
      });
    this.listening = this.#announced("listening").then((message) => message.addresses ?? {});
    this.ready = this.#announced("ready").then(() => undefined);
    // Whoever waits gets to see the failure; whoever does not is not ended by it.
    for (const promise of [this.listening, this.ready]) promise.catch(() => undefined);
  }

  get output(): string {
    return this.#output;
  }

  #announced(kind: string): Promise<Announcement> {
    return new Promise((resolve, reject) => {
      this.child.on("message", (message: Announcement) => {
        if (message.kind === kind) resolve(message);
      });
      this.child.once("error", reject);
      this.child.once("exit", (code) =>
        reject(new Error(`ended with ${code} before it was ${kind}:\n${this.#output}`)),
      );
    });
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
    await once(this.child, "exit");
    clearTimeout(late);
  }
}

/** Processes that are started one by one and ended together. */
export class ProcessGroup implements AsyncDisposable {
  readonly #all: MainProcess[] = [];

  start(main: Main, options: MainOptions): MainProcess {
    const started = new MainProcess(main, options);
    this.#all.push(started);
    return started;
  }

  get output(): string {
    return this.#all.map(({ output }) => output).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((one) => one.end()));
  }
}
