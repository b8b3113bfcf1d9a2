import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const ROOT = join(import.meta.dirname, "../..");
const READY_MS_MAX = 300_000;

type Choice = Readonly<{
  token_ids: number[];
  logprobs?: Readonly<{ token_logprobs: number[]; top_logprobs: Readonly<Record<string, number>>[] }> | null;
}>;

/** A cluster on this machine's card, started by `drover up` as a user would. */
export class Served implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  #output = "";
  /** Where each worker shows its metrics, by its name, and the file of the cluster's secret: said once, at the start. */
  #told: Readonly<{ admins: ReadonlyMap<string, string>; secretFile: string }> = { admins: new Map(), secretFile: "" };

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => {
        this.#output = (this.#output + String(chunk)).slice(-100_000);
      });
  }

  /** Resolves when a request can be served; `env` is added to this process's own. Throws with what the processes said when it cannot. */
  static async start(
    model: string,
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Served> {
    const port = await freePort();
    const ports = ["--http-port", String(port), "--grpc-port", "0", "--queue", "embedded", "--verbose"];
    const args = ["--conditions=@drover/source", "apps/drover/src/main.ts", "up", "--model", model, ...ports, ...flags];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const served = new Served(child, `http://127.0.0.1:${port}`);
    const until = performance.now() + READY_MS_MAX;
    // Requests can be served a moment before all that it started is listed.
    while (!(await served.#isReady()) || !/attention-0 .* admin /.test(served.#output)) {
      if (child.exitCode !== null || performance.now() > until) throw new Error(`not ready:\n${served.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    served.#told = {
      admins: new Map(
        [...served.#output.matchAll(/^ *((?:attention|experts|context)-\d+) .* admin (\S+)/gm)].map((found) => [
          String(found[1]),
          String(found[2]),
        ]),
      ),
      secretFile: /^ +secret +(\S+)/m.exec(served.#output)?.[1] ?? "",
    };
    return served;
  }

  /** Runs the goldens' own check against it; the lines that it prints, the last one with the counts. `ok`: what it says. */
  async check(file: string, more: readonly string[]): Promise<Readonly<{ ok: boolean; lines: readonly string[] }>> {
    const script = join(file, "../../check.py");
    const ran = promisify(execFile)("python3", [script, file, this.url, ...more], { maxBuffer: 2 ** 26 });
    const { ok, stdout } = await ran.then(
      (result) => ({ ok: true, stdout: result.stdout }),
      (error: { stdout?: string; stderr?: string }) => ({ ok: false, stdout: `${error.stderr}${error.stdout}` }),
    );
    return { ok, lines: stdout.trimEnd().split("\n") };
  }

  /** Greedy tokens behind a prompt, as many as are asked for. */
  async tokens(prompt: readonly number[], count: number): Promise<number[]> {
    return (await this.#complete(prompt, count, {})).token_ids;
  }

  /** The same tokens, and by how much each was ahead of the next likely one in log-probability. Of several tokens that are written alike one is seen, so that a margin may be said too large; NaN: none but the token's own was. */
  async margins(prompt: readonly number[], count: number): Promise<Readonly<{ tokens: number[]; margins: number[] }>> {
    const { token_ids: tokens, logprobs } = await this.#complete(prompt, count, { logprobs: 5 });
    const margins = tokens.map((_, i) => {
      const own = logprobs?.token_logprobs[i] ?? Number.NaN;
      const others = Object.values(logprobs?.top_logprobs[i] ?? {}).filter((one) => one < own);
      return others.length === 0 ? Number.NaN : own - Math.max(...others);
    });
    return { tokens, margins };
  }

  async #complete(prompt: readonly number[], count: number, more: object): Promise<Choice> {
    const asked = { model: "", prompt, max_tokens: count, temperature: 0, ignore_eos: true, return_token_ids: true };
    asked.model =
      ((await (await fetch(`${this.url}/v1/models`)).json()) as { data: { id: string }[] }).data[0]?.id ?? "";
    const body = JSON.stringify({ ...asked, ...more });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${this.url}/v1/completions`, { method: "POST", headers, body });
    const read = (await response.json()) as { choices?: Choice[]; error?: { message: string } };
    if (read.choices?.[0] === undefined) throw new Error(`no answer: ${read.error?.message}`);
    return read.choices[0];
  }

  /** The process that started the others. */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("it was not started");
    return this.#child.pid;
  }

  /** Lines that its processes have written and that match. */
  lines(pattern: RegExp): readonly string[] {
    return this.#output.split("\n").filter((line) => pattern.test(line));
  }

  /** Names of its workers, such as `attention-0`. */
  get workers(): readonly string[] {
    return [...this.#told.admins.keys()];
  }

  /** What a worker says of itself; the first attention worker where none is named. */
  async debug(worker = "attention-0"): Promise<unknown> {
    const [timeS, asked] = [Math.floor(Date.now() / 1000), "GET /debug/worker"];
    // As `drover secret --prove` does; only the sources of what is served travel with this file.
    const mac = createHmac("sha256", readFileSync(this.#told.secretFile, "utf8").trim()).update(
      `drover-member\n${timeS}\n${asked}`,
    );
    const headers = { "drover-member": `${timeS}.${mac.digest("base64url")}` };
    return (await fetch(`http://${this.#told.admins.get(worker)}/debug/worker`, { headers })).json();
  }

  /** The sum of the series of a name that the first attention worker shows and that have these labels. */
  metric(name: string, ...labels: readonly string[]): Promise<number> {
    return this.metricOf("attention-0", name, ...labels);
  }

  /** The same of any worker. */
  async metricOf(worker: string, name: string, ...labels: readonly string[]): Promise<number> {
    const text = await (await fetch(`http://${this.#told.admins.get(worker)}/metrics`)).text();
    const isAsked = (line: string) => line.startsWith(name) && labels.every((label) => line.includes(label));
    const lines = text.split("\n").filter(isAsked);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  /** The same of all workers together. */
  async total(name: string, ...labels: readonly string[]): Promise<number> {
    const each = await Promise.all(this.workers.map((worker) => this.metricOf(worker, name, ...labels)));
    return each.reduce((sum, one) => sum + one, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.#child.kill("SIGTERM");
    await once(this.#child, "exit");
  }

  async #isReady(): Promise<boolean> {
    return fetch(`${this.url}/ready`).then(
      (response) => response.ok,
      () => false,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
