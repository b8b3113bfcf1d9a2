import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { at, type ExpertExchange, systemClock, type WorkerId, workerId } from "@drover/core";
import { type BalancedExpert, balanceRows, DistributedExchange } from "@drover/exchange";
import { ExpertPlanner, type ExpertWorker } from "@drover/fleet";
import { drain, greedyTask, openLocalEngine, seededRandom } from "@drover/testkit";
import { loadTokenizer } from "@drover/tokenizer";

/**
 * How even the work of a step's experts is: 1,024 rows of one layer, 128 experts, 16 workers, 32 copies that the planner has placed by what it has seen before, and each
 * step's rows given out by water filling. Beside it the same copies chosen at random for each row, and no copies. The rows are drawn by Zipf's law, by nano's heat over the documentation, and as nano routes it
 * page by page, where a step of one page's words has other hot experts than the pages before it.
 * Envelope: a worker has 64 rows on average, of 8 experts with 8 +- 3 each, so without copies the fullest of 16 has some 64 + 1.8 * 8 rows, a balance of 0.82; 160 lists of one or two holders,
 * swept a few times, are some 1,000 fillings of 0.1 us.
 */
const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "200" },
    seed: { type: "string", default: "1" },
    model: { type: "string", default: join(import.meta.dirname, "../models/nano") },
  },
});
const ROWS = 1024;
const EXPERTS = 128;
const WORKERS = 16;
const COPIES = 32;
const LAYER = 1;
const BALANCE_MIN = 0.95;
const MICROSECONDS_MAX = 200;
const random = seededRandom(Number(values.seed));
const stepCount = Number(values.steps);

/** Rows of each expert in one step, and in all that was seen before it. */
type Traffic = Readonly<{ name: string; seen: readonly number[]; steps: readonly Int32Array[] }>;

function zipf(s: number): Traffic {
  const weights = Array.from({ length: EXPERTS }, (_, rank) => 1 / (rank + 1) ** s);
  // Which experts are hot has nothing to do with who owns them.
  for (let i = EXPERTS - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [at(weights, i), at(weights, j)];
    weights[i] = b;
    weights[j] = a;
  }
  return drawn(`Zipf, s = ${s}`, weights);
}

/** Rows that are independent of each other, each expert as often as its weight says. */
function drawn(name: string, weights: readonly number[]): Traffic {
  let sum = 0;
  const ends = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  const draw = () => {
    const point = random() * sum;
    return Math.max(
      0,
      ends.findIndex((end) => end > point),
    );
  };
  const steps = Array.from({ length: stepCount }, () => Int32Array.from({ length: ROWS }, draw));
  return { name, seen: countsOf(Array.from({ length: 50 * ROWS }, draw)), steps };
}

/** What nano's gates choose for the pages of the documentation, a layer after the other; half of the text is seen before. */
async function nano(): Promise<Traffic[]> {
  const tokenizer = await loadTokenizer(values.model);
  const docs = join(import.meta.dirname, "../docs");
  const pages = await Promise.all(
    ["ARCHITECTURE", "configuration", "kv", "metrics", "runbook"].map((page) =>
      readFile(join(docs, `${page}.md`), "utf8"),
    ),
  );
  const chosen = new Map<number, number[]>();
  const watch = (exchange: ExpertExchange): ExpertExchange => ({
    get usable() {
      return exchange.usable;
    },
    exchange: (request) => {
      const rows = chosen.get(request.layer) ?? [];
      chosen.set(request.layer, rows);
      for (const expert of request.expert_a) rows.push(expert);
      return exchange.exchange(request);
    },
  });
  const local = await openLocalEngine(values.model, { prefillRowsMax: ROWS, remoteExperts: true, wrapExchange: watch });
  for (const [i, page] of pages.entries()) {
    local.engine.place(greedyTask(`page-${i}`, [...tokenizer.encode(page)].slice(0, 8 * ROWS), 1));
    await drain(local);
  }
  return [...chosen].flatMap(([layer, rows]) => {
    const half = Math.floor(rows.length / 2);
    const count = Math.floor((rows.length - half) / ROWS);
    const steps = Array.from({ length: count }, (_, i) =>
      Int32Array.from(rows.slice(half + i * ROWS, half + (i + 1) * ROWS)),
    );
    const asItComes = { name: `nano, layer ${layer}, page by page`, seen: countsOf(rows.slice(0, half)), steps };
    return [drawn(`nano, layer ${layer}`, countsOf(rows)), asItComes];
  });
}

function countsOf(rows: readonly number[] | Int32Array): number[] {
  const counts = new Array<number>(EXPERTS).fill(0);
  for (const expert of rows) counts[expert] = at(counts, expert) + 1;
  return counts;
}

/** The holders that the planner gives each expert, of workers that load whatever they are told to. */
function plannedHolders(seen: readonly number[], spareCount: number): readonly (readonly WorkerId[])[] {
  const replicas = { holdersMin: 1, spareCount };
  const planner = new ExpertPlanner({
    layers: [LAYER],
    expertCount: EXPERTS,
    expectExperts: WORKERS,
    epoch: 0n,
    replicas,
    expertParameters: 1,
  });
  let workers = Array.from(
    { length: WORKERS },
    (_, i): ExpertWorker => ({
      workerId: workerId(`w${String(i).padStart(2, "0")}`),
      incarnation: "1",
      session: i,
      address: "",
      joinedAtMs: 0,
      suspected: false,
      leaving: false,
      draining: false,
      expertCountMax: Number.POSITIVE_INFINITY,
      loaded: new Map(),
    }),
  );
  planner.observe(new Map([[LAYER, seen]]), 0);
  for (const now of [0, 1, 2]) {
    const { orders } = planner.update(workers, now);
    workers = workers.map((worker) => {
      const order = orders.get(worker.workerId);
      return order === undefined
        ? worker
        : { ...worker, loaded: new Map([...order].map(([layer, experts]) => [layer, new Set(experts)])) };
    });
  }
  planner.update(workers, 3);
  return planner.active.get(LAYER) ?? [];
}

/** Mean over largest load of the workers. */
function evenness(loads: ArrayLike<number>): number {
  return ROWS / WORKERS / Math.max(...Array.from(loads));
}

function loadsOf(
  experts: readonly BalancedExpert[],
  choose: (expert: BalancedExpert, i: number) => ArrayLike<number>,
): Float64Array {
  const loads = new Float64Array(WORKERS);
  for (const [i, expert] of experts.entries()) {
    const rows = choose(expert, i);
    for (const [place, holder] of expert.holders.entries()) loads[holder] = at(loads, holder) + at(rows, place);
  }
  return loads;
}

const atRandom = ({ rowCount, holders }: BalancedExpert) => {
  const rows = new Int32Array(holders.length);
  for (let row = 0; row < rowCount; row++) {
    const place = Math.floor(random() * holders.length);
    rows[place] = at(rows, place) + 1;
  }
  return rows;
};

const median = (list: readonly number[]) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;
const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
const ahead = new Float64Array(WORKERS);
const speeds = new Float64Array(WORKERS).fill(1);

/** The same rows through the exchange itself, whose peers answer at once: what giving out and putting back takes, of rows of one value. */
async function exchangeMs(holders: readonly (readonly WorkerId[])[], steps: readonly Int32Array[]): Promise<number> {
  const connected = new Map(
    holders
      .flat()
      .map((id) => [id as string, { workerId: id, connected: true, isHere: false, call: async () => true }]),
  );
  const quiet = { rowsRouted: () => undefined, rowsMissing: () => undefined };
  const exchange = new DistributedExchange(
    1,
    (id) => connected.get(id),
    quiet,
    async () => undefined,
    systemClock,
  );
  exchange.update({ epoch: 1n, expertCount: EXPERTS, layers: new Map([[LAYER, holders]]) });
  const z_aD = new Float32Array(ROWS);
  const took: number[] = [];
  for (const expert_a of [...steps, ...steps]) {
    const began = performance.now();
    await exchange.exchange({ layer: LAYER, z_aD, expert_a, rowCount: ROWS });
    took.push(performance.now() - began);
  }
  return median(took.slice(steps.length));
}

let isGood = true;
async function report({ name, seen, steps }: Traffic): Promise<void> {
  const holders = plannedHolders(seen, COPIES);
  const index = new Map([...new Set(holders.flat())].sort().map((id, i) => [id, i]));
  const indices = holders.map((list) => list.map((id) => index.get(id) ?? Number.NaN));
  const [filled, random1, alone, microseconds]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (const rows of steps) {
    const experts = countsOf(rows).flatMap((rowCount, expert) =>
      rowCount === 0 ? [] : [{ rowCount, holders: at(indices, expert) }],
    );
    const began = performance.now();
    const given = balanceRows(experts, ahead, speeds);
    microseconds.push((performance.now() - began) * 1000);
    filled.push(evenness(loadsOf(experts, (_, i) => at(given, i))));
    random1.push(evenness(loadsOf(experts, atRandom)));
    alone.push(evenness(loadsOf(experts, ({ rowCount }) => [rowCount, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])));
  }
  const copies = holders.reduce((sum, list) => sum + list.length - 1, 0);
  // Nobody foresees the next page's words.
  if (!name.endsWith("page by page"))
    isGood &&= mean(filled) >= BALANCE_MIN && median(microseconds) <= MICROSECONDS_MAX;
  const shown = [mean(filled), Math.min(...filled), mean(random1), mean(alone)].map((value) => value.toFixed(3));
  console.log(
    `| ${name} | ${steps.length} | ${copies} | ${shown.join(" | ")} | ${median(microseconds).toFixed(0)} | ${((await exchangeMs(holders, steps)) * 1000).toFixed(0)} |`,
  );
}

console.log(
  `${cpus()[0]?.model}; ${ROWS} rows, ${EXPERTS} experts, ${WORKERS} workers, ${COPIES} copies; mean over largest load`,
);
console.log(
  "| rows | steps | copies | water filling | its least | at random | without copies | us a layer | us of the exchange |\n|---|---|---|---|---|---|---|---|---|",
);
for (const s of [0, 0.5, 1]) await report(zipf(s));
for (const traffic of await nano()) await report(traffic);
process.exitCode = isGood ? 0 : 1;
