import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The Redis binary on this machine, if any. */
export function redisBinary(): string | undefined {
  return ["redis-server", "valkey-server"].find(
    (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
  );
}

/** Below the range from which systems give out ports by themselves: no process that asks for any free port takes one of these meanwhile. */
const PORT_MIN = 15_000;
const PORT_COUNT = 15_000;

/** A free port on loopback that stays free until it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * PORT_COUNT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** A real Redis of a test's own. */
export class TestRedis {
  readonly port: number;
  readonly #binary: string;
  readonly #host: string;
  readonly #password: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "drover-redis-"));
  #process: ChildProcess | undefined;

  constructor(binary: string, port: number, host = "127.0.0.1", password = "") {
    this.#binary = binary;
    this.port = port;
    this.#host = host;
    this.#password = password;
  }

  get url(): string {
    return `redis://${this.#password === "" ? "" : `:${this.#password}@`}${this.#host}:${this.port}`;
  }

  async start(): Promise<void> {
    const settings = [
      "--port",
      String(this.port),
      "--bind",
      this.#host,
      "--dir",
      this.#directory,
      "--appendonly",
      "yes",
      "--save",
      "",
      "--requirepass",
      this.#password,
    ];
    const server = spawn(this.#binary, settings, { stdio: ["ignore", "pipe", "ignore"] });
    this.#process = server;
    for await (const line of server.stdout) if (String(line).includes("Ready to accept connections")) break;
    server.stdout.resume();
  }

  /** Stops it where it is, without a word, or has it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  async stop(): Promise<void> {
    const server = this.#process;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
