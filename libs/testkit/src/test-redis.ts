import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The Redis binary on this machine, if any. */
export function redisBinary(): string | undefined {
  return ["redis-server", "valkey-server"].find(
    (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
  );
}

/** Whether a Redis speaks TLS: one that was built without it knows no port for that. */
export function speaksTls(binary: string): boolean {
  const { stdout, stderr } = spawnSync(binary, ["--port", "0", "--tls-port", "0", "--no-such-setting", "1"], {
    encoding: "utf8",
  });
  return /no-such-setting/.test(`${stdout}${stderr}`);
}

/** Below the range from which systems give out ports by themselves: no process that asks for any free port takes one of these meanwhile. */
const PORT_MIN = 15_000;
/** Each process of the tests that run at the same time gives out ports of its own part, so that none is given out twice before it is used. */
const PARTS = 5;
const PART_PORTS = 3000;
const part = Number(process.env.VITEST_POOL_ID ?? 0) % PARTS;
let next = Math.floor(Math.random() * PART_PORTS);

/** A free port on loopback that stays free until it is used. */
export async function freePort(): Promise<number> {
  for (;;) {
    next = (next + 1) % PART_PORTS;
    const port = PORT_MIN + part * PART_PORTS + next;
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Where a Redis speaks TLS, and the files of its certificate. */
export type RedisTls = Readonly<{ port: number; certificate: string; key: string; ca: string }>;

/** A real Redis of a test's own; with `tls` it has a second port for that. */
export class TestRedis {
  readonly port: number;
  readonly #binary: string;
  readonly #host: string;
  readonly #password: string;
  readonly #tls: RedisTls | undefined;
  readonly #directory = mkdtempSync(join(tmpdir(), "drover-redis-"));
  #process: ChildProcess | undefined;

  constructor(binary: string, port: number, host = "127.0.0.1", password = "", tls?: RedisTls) {
    this.#binary = binary;
    this.port = port;
    this.#host = host;
    this.#password = password;
    this.#tls = tls;
  }

  get url(): string {
    return `redis://${this.#user}${this.#host}:${this.port}`;
  }

  /** Its address over TLS; it has none where it was not given a certificate. */
  get tlsUrl(): string {
    return `rediss://${this.#user}${this.#host}:${this.#tls?.port}`;
  }

  /** Where its files are. */
  get directory(): string {
    return this.#directory;
  }

  get #user(): string {
    return this.#password === "" ? "" : `:${encodeURIComponent(this.#password)}@`;
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
      ...this.#tlsSettings(),
    ];
    this.#process = await startServer(this.#binary, settings, "Ready to accept connections");
  }

  #tlsSettings(): string[] {
    if (this.#tls === undefined) return [];
    const { port, certificate, key, ca } = this.#tls;
    const files = ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", ca];
    return ["--tls-port", String(port), "--tls-auth-clients", "no", ...files];
  }

  /** Stops it where it is, without a word, or has it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#process?.kill(signal);
  }

  async stop(): Promise<void> {
    await killServer(this.#process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Starts a server and resolves once it has said this. */
async function startServer(binary: string, settings: readonly string[], word: string): Promise<ChildProcess> {
  const server = spawn(binary, settings, { stdio: ["ignore", "pipe", "ignore"] });
  let said = "";
  for await (const piece of server.stdout) {
    said += String(piece);
    if (said.includes(word)) break;
  }
  server.stdout.resume();
  if (!said.includes(word)) throw new Error(`${binary} ${settings.join(" ")} has ended:\n${said}`);
  return server;
}

async function killServer(server: ChildProcess | undefined): Promise<void> {
  if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
  server.kill("SIGKILL");
  await once(server, "exit");
}

/** The primary that a sentinel watches, on loopback. */
export type WatchedRedis = Readonly<{ name: string; port: number; password: string }>;

/** A sentinel takes its primary for dead after so long without an answer, milliseconds. */
const DOWN_AFTER_MS = 1000;

/** A real sentinel of a test's own, one of three: two of them decide that their primary is dead. */
export class TestSentinel {
  readonly port: number;
  readonly #binary: string;
  readonly #watched: WatchedRedis;
  readonly #password: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "drover-sentinel-"));
  #process: ChildProcess | undefined;

  constructor(binary: string, port: number, watched: WatchedRedis, password = "") {
    this.#binary = binary;
    this.port = port;
    this.#watched = watched;
    this.#password = password;
  }

  get url(): string {
    return `redis://${this.#password === "" ? "" : `:${encodeURIComponent(this.#password)}@`}127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const { name, port, password } = this.#watched;
    const file = join(this.#directory, "sentinel.conf");
    const lines = [
      `port ${this.port}`,
      "bind 127.0.0.1",
      ...(this.#password === ""
        ? []
        : [`requirepass "${this.#password}"`, `sentinel sentinel-pass "${this.#password}"`]),
      `sentinel monitor ${name} 127.0.0.1 ${port} 2`,
      `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${name} 10000`,
      ...(password === "" ? [] : [`sentinel auth-pass ${name} "${password}"`]),
    ];
    writeFileSync(file, `${lines.join("\n")}\n`);
    this.#process = await startServer(this.#binary, [file, "--sentinel"], "+monitor master");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killServer(this.#process);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
