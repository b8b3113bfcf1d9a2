import { at, type ExpertRunner } from "@drover/core";
import type { Metrics } from "@drover/telemetry";

/** What counts its experts: the sessions of this process. */
export type HeldExperts = ExpertRunner &
  Readonly<{ loaded(): readonly Readonly<{ layer: number; experts: Iterable<number> }>[] }>;

/** Labels of the series that stand, by layer and expert. */
type Emitted = Map<string, Readonly<{ layer: string; expert: string }>>;

const FRAME_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * The experts of this process, and how many rows each has computed: the heat, `drover_expert_rows_total`, whose series are those of the experts
 * that are loaded. So all workers together emit one for each layer, expert and holder, also for experts that nobody asked for.
 */
export class CountedExperts implements ExpertRunner {
  readonly #experts: HeldExperts;
  readonly #seconds;
  readonly #rows;
  readonly #loaded;
  /** Rows since the last scrape, by layer and expert: handed to the registry then, because this runs for every layer of every step. */
  readonly #counts = new Map<number, Map<number, number>>();
  #emitted: Emitted = new Map();
  #rowCount = 0;

  constructor(experts: HeldExperts, metrics: Metrics) {
    this.#experts = experts;
    this.#seconds = metrics
      .histogram(
        "drover_expert_compute_seconds",
        "Experts of one frame: rows of one layer from one worker",
        [],
        FRAME_BUCKETS,
      )
      .of({});
    this.#rows = metrics.counter("drover_expert_rows_total", "Rows that each expert held here has computed", [
      "layer",
      "expert",
    ]);
    this.#loaded = metrics.gauge("drover_experts_loaded", "Experts of all layers that are in memory here", []);
    metrics.beforeScrape(() => this.#collect());
  }

  get hiddenSize(): number {
    return this.#experts.hiddenSize;
  }

  /** Rows of all experts since the start. */
  get rowCount(): number {
    return this.#rowCount;
  }

  has(layer: number, expert: number): boolean {
    return this.#experts.has(layer, expert);
  }

  run(
    layer: number,
    experts: ArrayLike<number>,
    counts: ArrayLike<number>,
    z_aD: Float32Array,
    y_aD: Float32Array,
  ): Promise<void> | undefined {
    const began = performance.now();
    const count = () => {
      this.#seconds.observe((performance.now() - began) / 1000);
      for (let i = 0; i < experts.length; i++) this.countRows(layer, at(experts, i), at(counts, i));
    };
    const running = this.#experts.run(layer, experts, counts, z_aD, y_aD);
    if (running !== undefined) return running.then(count);
    count();
    return undefined;
  }

  /** Counts rows that were computed with an expert of this worker by others than {@link run}. */
  countRows(layer: number, expert: number, count: number): void {
    const sums = this.#counts.get(layer) ?? new Map<number, number>();
    this.#counts.set(layer, sums);
    sums.set(expert, (sums.get(expert) ?? 0) + count);
    this.#rowCount += count;
  }

  #collect(): void {
    const held: Emitted = new Map();
    for (const { layer, experts } of this.#experts.loaded()) {
      const counts = this.#counts.get(layer);
      for (const expert of experts) {
        const labels = { layer: String(layer), expert: String(expert) };
        this.#rows.inc(labels, counts?.get(expert) ?? 0);
        held.set(`${layer}/${expert}`, labels);
      }
    }
    this.#counts.clear();
    for (const [key, labels] of this.#emitted) if (!held.has(key)) this.#rows.remove(labels);
    this.#emitted = held;
    this.#loaded.set(held.size);
  }
}
