import { readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, redisBinary, TestRedis } from "@drover/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestCluster } from "../e2e/test-cluster.ts";
import { describedMetrics, metricLine } from "./described-metrics.ts";
import { LiveSeries } from "./live-series.ts";
import { load } from "./load.ts";
import { problems } from "./problems.ts";
import { hasPrometheus, Prometheus, type Target } from "./prometheus.ts";
import {
  alerts,
  choices,
  dashboards,
  panelQueries,
  RULES_FOLDER,
  ruleFiles,
  ruleQueries,
  type ShownQuery,
} from "./shown-queries.ts";

const redisProgram = redisBinary();
const present = hasPrometheus && redisProgram !== undefined;
if (redisProgram === undefined && process.env.CI) throw new Error("these tests need redis-server or valkey-server");

const PROCESSES = ["router", "scheduler", "attention-0", "experts-0", "experts-1", "vision-0", "context-0"];
/** Labels of every series: the processes', the scraper's, and those of all histograms. */
const UNDESCRIBED = ["process", "worker", "cluster", "namespace", "pod", "instance", "job", "le"];
/** An alert that is brought about, up to how long it waits. */
const HASTY = /(alert: Drover(?:WorkerMissing|QueueUnreachable|LeaderMissing)\n(?: .*\n)*?\s+for:) \w+/g;
/** Long enough for rates over ten scrapes, and then until every kind of request has been answered some times. */
const LOAD_MS = 12_000;
const TURNS_LEAST = 3;

/** What a scraper on Kubernetes adds. */
async function targetOf(cluster: TestCluster, name: string): Promise<Target> {
  const { host } = new URL(await cluster.adminUrl(name));
  return { address: host, labels: { cluster: "test", namespace: "drover", pod: name } };
}

/** Rule files as they are, but that what a test brings about is told at once. */
const hastyRules = (): readonly string[] =>
  [...ruleFiles().keys()].map((name) => {
    const text = readFileSync(join(RULES_FOLDER, name), "utf8");
    return text.replaceAll(HASTY, "$1 1s");
  });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(!present)("a live cluster, as a real Prometheus sees it (needs prometheus and Redis)", () => {
  const ended = new AbortController();
  const opened = new AsyncDisposableStack();
  let redis: TestRedis;
  let cluster: TestCluster;
  let prometheus: Prometheus;
  let live: LiveSeries;

  beforeAll(async () => {
    redis = opened.use(new TestRedis(redisProgram ?? "", await freePort()));
    await redis.start();
    const flags = ["--vision-workers=1", "--context-workers=1", "--stripe-above=1000"];
    cluster = opened.use(await TestCluster.start({ expertWorkers: 2, queue: redis.url, flags }));
    const targets = await Promise.all(PROCESSES.map((name) => targetOf(cluster, name)));
    prometheus = opened.use(await Prometheus.start(targets, hastyRules()));
    const loading = load(cluster, ended.signal);
    opened.defer(async () => {
      ended.abort();
      await loading.ended;
    });
    await pause(LOAD_MS);
    while (loading.turnsLeast() < TURNS_LEAST) await pause(100);
    // The next scrape has seen it all.
    await pause(2000);
    live = new LiveSeries(await prometheus.series('{__name__=~".+"}'));
  });

  // In the reverse order, all of it whatever fails.
  afterAll(() => opened.disposeAsync());

  const problemsOf = async (queries: readonly ShownQuery[]) =>
    (await Promise.all(queries.map((query) => problems(query, live, prometheus)))).flat();

  test("every process is scraped", async () => {
    // A scrape has a second: one that comes late on a loaded machine is followed by another.
    await expect.poll(() => prometheus.unscraped(), { interval: 1000 }).toEqual([]);
    expect(live.values("drover_ready", "pod")).toEqual([...PROCESSES].sort());
  });

  test("docs/metrics.md describes every metric, with its type and labels, and no other", async () => {
    const emitted = [...(await prometheus.types())].map(([name, type]) => {
      const series = type === "histogram" ? `${name}_bucket` : name;
      return metricLine(
        name,
        type,
        live.labels(series).filter((label) => !UNDESCRIBED.includes(label)),
      );
    });
    expect(describedMetrics().toSorted()).toEqual(emitted.toSorted());
  });

  test("each expert of each layer has one series, its holder's", async () => {
    const series = await prometheus.series("drover_expert_rows_total");
    const experts = new Set(series.map(({ layer, expert }) => `${layer}/${expert}`));
    const layers = live.values("drover_expert_rows_total", "layer").length;
    expect(layers).toBeGreaterThan(1);
    expect(experts.size).toBe(layers * live.values("drover_expert_rows_total", "expert").length);
    expect(series.length).toBe(experts.size);
  });

  test.each(dashboards())("every query and every choice of $title has data", async (dashboard) => {
    const [layer = ""] = live.values("drover_expert_rows_total", "layer");
    const queries = panelQueries(dashboard, { layer });
    expect(queries.length).toBeGreaterThan(0);
    expect(await problemsOf(queries)).toEqual([]);
    for (const { name, selector, label } of choices(dashboard)) {
      const series = await prometheus.series(selector);
      expect(series.filter((labels) => label in labels).length, name).toBeGreaterThan(0);
    }
  });

  test("every recording has data, and every vector that an alert compares", async () => {
    const queries = ruleQueries();
    expect(queries.length).toBeGreaterThan(alerts().length);
    expect(await problemsOf(queries)).toEqual([]);
  });

  test.each<Readonly<{ planted: string; query: Omit<ShownQuery, "where">; finding: string }>>([
    {
      planted: "a metric that nothing emits",
      query: { expr: "sum(rate(drover_forgotten_total[20s]))", legend: [] },
      finding: "no process emits drover_forgotten_total",
    },
    {
      planted: "a label that the metric lacks, where other series still have data",
      query: { expr: 'drover_ready or drover_scheduler_leader{lane!="x"}', legend: [] },
      finding: "drover_scheduler_leader has no label lane",
    },
    {
      planted: "a value that the label never has",
      query: { expr: 'sum(drover_ready{process=~"router|gateway"})', legend: [] },
      finding: 'drover_ready never has process="gateway"',
    },
    {
      planted: "a sum by a label that the metric lacks",
      query: { expr: "sum by (expert) (drover_ready)", legend: [] },
      finding: "none of drover_ready has the label expert",
    },
    {
      planted: "a legend of a label that was summed away",
      query: { expr: "sum by (process) (drover_ready)", legend: ["worker"] },
      finding: "no label worker in what",
    },
    {
      planted: "an expression that is right and gives nothing",
      query: { expr: "drover_ready > 1", legend: [] },
      finding: "no data for drover_ready > 1",
    },
    {
      planted: "an expression that gives no number",
      query: { expr: "sum(drover_ready) * 0 / 0", legend: [] },
      finding: "no data for",
    },
  ])("$planted is found", async ({ query, finding }) => {
    expect((await problemsOf([{ where: "planted", ...query }])).join("\n")).toContain(finding);
  });

  test("a worker that is drained is counted as draining, and as ready once that is taken back", async () => {
    const ask = (query: string) => cluster.askMember("scheduler", `POST /drain?worker=vision-0${query}`);
    const readyCount = async () => {
      const [range] = await prometheus.range('role:drover_workers:ready{role="vision"}', 2);
      return Number(range?.values.at(-1)?.[1]);
    };
    expect((await ask("")).status).toBe(200);
    await expect.poll(readyCount).toBe(0);
    const [draining] = await prometheus.range('drover_scheduler_workers{role="vision",state="draining"}', 2);
    expect(Number(draining?.values.at(-1)?.[1])).toBe(1);
    expect((await ask("&undo=true")).status).toBe(200);
    await expect.poll(readyCount).toBe(1);
  });

  const firing = async () =>
    (await prometheus.alerts()).filter(({ state }) => state === "firing").map(({ labels }) => labels.alertname);

  test("nothing fires while all is well", async () => {
    expect(await firing()).toEqual([]);
  });

  test("a worker that is killed is missing", async () => {
    const killAndLook = () => {
      // It comes back each time: here it does not get that far.
      for (const pid of cluster.pids("--worker-id=experts-1")) process.kill(pid, "SIGKILL");
      return firing();
    };
    await expect.poll(killAndLook, { interval: 100 }).toContain("DroverWorkerMissing");
  });

  test("without Redis the queue cannot be reached, and nobody leads", async () => {
    await redis.stop();
    await expect
      .poll(firing, { interval: 100 })
      .toEqual(expect.arrayContaining(["DroverQueueUnreachable", "DroverLeaderMissing"]));
  });
});
