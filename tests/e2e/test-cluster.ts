import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MEMBER_HEADER } from "@drover/core";
import { ClusterSecret } from "@drover/rpc";
import { freePort, PATIENCE_MS } from "@drover/testkit";

export const ROOT = join(import.meta.dirname, "../..");

export type ClusterOptions = Readonly<{
  model?: string;
  expertWorkers?: number;
  attentionWorkers?: number;
  prefillChunk?: number;
  queue?: string;
  flags?: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** A command that is given the whole command line and becomes it. */
  wrapper?: readonly string[];
}>;

/** A whole cluster of real processes, started by `drover up` as a user would. */
export class TestCluster implements AsyncDisposable {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly process: ChildProcess;
  #output = "";
  /** What the screen has said, of which only the end is kept. */
  readonly #adminUrls = new Map<string, string>();
  #secretFile: string | undefined;

  private constructor(child: ChildProcess, httpPort: number, grpcPort: number) {
    this.process = child;
    this.httpPort = httpPort;
    this.grpcPort = grpcPort;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-20_000);
      });
    }
  }

  /** Resolves once a request can be served. Rejects with the processes' last output when that takes too long. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster> {
    const [httpPort, grpcPort] = [await freePort(), await freePort()];
    const flags: string[] = ["--http-port", String(httpPort), "--grpc-port", String(grpcPort)];
    if (options.model !== undefined) flags.push("--model", options.model);
    if (options.expertWorkers !== undefined) flags.push("--expert-workers", String(options.expertWorkers));
    if (options.attentionWorkers !== undefined) flags.push("--attention-workers", String(options.attentionWorkers));
    if (options.prefillChunk !== undefined) flags.push("--prefill-chunk", String(options.prefillChunk));
    flags.push("--queue", options.queue ?? "embedded", ...(options.flags ?? []));
    const node = [process.execPath, "--conditions=@drover/source", "apps/drover/src/main.ts", "up", ...flags];
    const [command = "", ...args] = [...(options.wrapper ?? []), ...node];
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...options.env },
    });
    const cluster = new TestCluster(child, httpPort, grpcPort);
    try {
      await cluster.ready();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get url(): string {
    return `http://127.0.0.1:${this.httpPort}`;
  }

  get output(): string {
    return this.#output;
  }

  async ready(): Promise<void> {
    const limit = Date.now() + PATIENCE_MS;
    for (;;) {
      const ok = await fetch(`${this.url}/ready`).then(
        (response) => response.ok,
        () => false,
      );
      if (ok) return;
      if (this.process.exitCode !== null || Date.now() > limit)
        throw new Error(`the cluster is not ready:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Pids of descendants whose command line contains the text. */
  pids(text: string): number[] {
    const parents = new Map<number, number>();
    const commands = new Map<number, string>();
    for (const name of readdirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
        parents.set(Number(name), Number(fields[1]));
        commands.set(Number(name), readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " "));
      } catch (error) {
        // The process ended between the listing and the reading.
        if (!(error instanceof Error)) throw error;
      }
    }
    const isMine = (pid: number): boolean =>
      pid === this.process.pid || (parents.has(pid) && pid > 1 && isMine(parents.get(pid) ?? 1));
    return [...commands]
      .filter(([pid, command]) => command.includes(text) && pid !== this.process.pid && isMine(pid))
      .map(([pid]) => pid);
  }

  /** A process's administration address, from the screen that `up` shows; a restart keeps it. */
  async adminUrl(name: string): Promise<string> {
    const known = this.#adminUrls.get(name);
    if (known !== undefined) return known;
    const limit = Date.now() + PATIENCE_MS;
    for (;;) {
      const address = new RegExp(`^ +${name} .* admin (\\S+)`, "m").exec(this.#output)?.[1];
      if (address !== undefined) {
        this.#adminUrls.set(name, `http://${address}`);
        return `http://${address}`;
      }
      if (this.process.exitCode !== null || Date.now() > limit)
        throw new Error(`no administration address of ${name}:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** The file of the secret that its processes know each other by, from the screen. */
  get secretFile(): string {
    this.#secretFile ??= /^ +secret +(\S+)/m.exec(this.#output)?.[1];
    if (this.#secretFile === undefined) throw new Error(`no secret is shown:\n${this.#output}`);
    return this.#secretFile;
  }

  /** Asks a process's administration address as a member of the cluster: of `GET /debug/worker`, or what else is for members alone. */
  async askMember(name: string, asked: string): Promise<Response> {
    const admin = await this.adminUrl(name);
    const [method = "", target = ""] = asked.split(" ");
    const headers = { [MEMBER_HEADER]: ClusterSecret.read(readFileSync(this.secretFile, "utf8")).prove(asked) };
    return fetch(`${admin}${target}`, { method, headers });
  }

  async post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
    return fetch(this.url + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill("SIGTERM");
    const late = setTimeout(() => this.process.kill("SIGKILL"), 15_000);
    await once(this.process, "exit");
    clearTimeout(late);
  }
}
