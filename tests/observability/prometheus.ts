import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, PATIENCE_MS } from "@drover/testkit";
import { stringify } from "yaml";

export const hasPrometheus = ["prometheus", "promtool"].every(
  (name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0,
);
if (!hasPrometheus && process.env.CI) throw new Error("these tests need prometheus and promtool");

/** A process to scrape: its address, and what the scraper knows of it. */
export type Target = Readonly<{ address: string; labels: Readonly<Record<string, string>> }>;

export type Sample = readonly [time: number, value: string];
export type Range = Readonly<{ metric: Readonly<Record<string, string>>; values: readonly Sample[] }>;
export type FiringAlert = Readonly<{ labels: Readonly<Record<string, string>>; state: "pending" | "firing" }>;

/** A real Prometheus of a test's own that scrapes and evaluates once a second. */
export class Prometheus implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #folder: string;
  readonly #url: string;
  #output = "";

  private constructor(child: ChildProcess, folder: string, port: number) {
    this.#process = child;
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}`;
    child.stderr?.on("data", (chunk) => {
      this.#output = (this.#output + String(chunk)).slice(-5000);
    });
  }

  /** `rules`: rule files' texts. */
  static async start(targets: readonly Target[], rules: readonly string[]): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "drover-prometheus-"));
    const port = await freePort();
    for (const [i, text] of rules.entries()) writeFileSync(join(folder, `rules-${i}.yaml`), text);
    const config = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: ["rules-*.yaml"],
      scrape_configs: [
        {
          job_name: "drover",
          static_configs: targets.map(({ address, labels }) => ({ targets: [address], labels })),
        },
      ],
    };
    writeFileSync(join(folder, "prometheus.yaml"), stringify(config));
    const flags = [
      `--config.file=${folder}/prometheus.yaml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ];
    const child = spawn("prometheus", flags, { stdio: ["ignore", "ignore", "pipe"] });
    const server = new Prometheus(child, folder, port);
    try {
      await server.#ready();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  async #ready(): Promise<void> {
    const limit = Date.now() + PATIENCE_MS;
    for (;;) {
      const ok = await fetch(`${this.#url}/-/ready`).then(
        (response) => response.ok,
        () => false,
      );
      if (ok) return;
      if (this.#process.exitCode !== null || Date.now() > limit) throw new Error(`no Prometheus:\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Label sets of all series that match. */
  async series(selector: string): Promise<readonly Readonly<Record<string, string>>[]> {
    return (await this.#get("series", { "match[]": selector })) as readonly Readonly<Record<string, string>>[];
  }

  /** A panel's view of the last so many seconds: a point each two, at whole ones, as Grafana asks. */
  async range(query: string, seconds: number): Promise<readonly Range[]> {
    const end = Math.floor(Date.now() / 2000) * 2;
    const data = await this.#get("query_range", { query, start: `${end - seconds}`, end: `${end}`, step: "2" });
    return (data as { result: readonly Range[] }).result;
  }

  /** The type of each metric that is scraped, by its name. */
  async types(): Promise<ReadonlyMap<string, string>> {
    const data = (await this.#get("metadata", {})) as Record<string, readonly { type: string }[]>;
    return new Map(Object.entries(data).map(([name, [first]]) => [name, first?.type ?? "unknown"]));
  }

  async alerts(): Promise<readonly FiringAlert[]> {
    return ((await this.#get("alerts", {})) as { alerts: readonly FiringAlert[] }).alerts;
  }

  /** Addresses that the last scrape of failed, and why. */
  async unscraped(): Promise<readonly string[]> {
    const { activeTargets } = (await this.#get("targets", { state: "active" })) as {
      activeTargets: readonly { scrapeUrl: string; health: string; lastError: string }[];
    };
    return activeTargets
      .filter(({ health }) => health !== "up")
      .map(({ scrapeUrl, health, lastError }) => `${scrapeUrl} ${health} ${lastError}`);
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.#url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const answer = (await response.json()) as { status: string; error?: string; data: unknown };
    if (answer.status !== "success") throw new Error(`${answer.error}: ${parameters.query ?? path}`);
    return answer.data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode === null) {
      this.#process.kill("SIGKILL");
      await once(this.#process, "exit");
    }
    rmSync(this.#folder, { recursive: true });
  }
}
