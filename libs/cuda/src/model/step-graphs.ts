import type { CudaDevice, Graph, Stream } from "../driver/cuda-device.ts";
import { PARTS_MAX } from "../kernels/attention-kernels.ts";
import { HEAD_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { StepShape, TextProgram } from "./text-program.ts";

/** Numbers of rows that there are graphs for: a step has the next one, and idle rows. */
const BUCKETS = [1, 2, 4, 8, 16, 24, 32, 48, HEAD_ROWS_MAX] as const;
/** Parts that positions are cut into at most, that there are graphs for. */
const PARTS = [4, 16, PARTS_MAX] as const;

/** What decides which graph a step is. */
type GraphShape = StepShape & Readonly<{ topCount: number }>;

/**
 * Steps all of whose rows are wanted, as sequences decode, each launched as one graph: all that is new in a step lies in the card's memory, where the graph finds it. A shape's graph
 * is recorded when it is first launched, some milliseconds; there are at most 54, of some 2 MB each.
 */
export class StepGraphs {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #program: TextProgram;
  readonly #buckets: readonly number[];
  readonly #topCountMax: number;
  readonly #graphs = new Map<string, Graph>();

  /** `rowsMax`: of the largest step. */
  constructor(
    device: CudaDevice,
    stream: Stream,
    program: TextProgram,
    { rowsMax, vocabSize }: Readonly<{ rowsMax: number; vocabSize: number }>,
  ) {
    this.#device = device;
    this.#stream = stream;
    this.#program = program;
    this.#buckets = BUCKETS.filter((count) => count <= rowsMax);
    this.#topCountMax = Math.min(TOP_COUNT_MAX, vocabSize);
  }

  /** The shape of so many rows' graph, idle ones among them; undefined: there is none. */
  shapeOf({ rowCount, parts }: Pick<StepShape, "rowCount" | "parts">, topCount: number): GraphShape | undefined {
    const bucket = this.#buckets.find((count) => count >= rowCount);
    if (bucket === undefined) return undefined;
    const most = Math.max(parts.global, parts.local);
    const both = PARTS.find((count) => count >= most) ?? PARTS_MAX;
    return {
      rowCount: bucket,
      parts: { global: both, local: both },
      tiling: undefined,
      topCount: topCount === 1 ? 1 : this.#topCountMax,
    };
  }

  /** Records the graphs of all numbers of rows, which compiles their kernels. Errors: the compiler's. */
  prepare(): void {
    const parts = { global: 1, local: 1 };
    for (const rowCount of this.#buckets) {
      const shape = this.shapeOf({ rowCount, parts }, 1);
      if (shape !== undefined) this.#graph(shape);
    }
  }

  /** Enqueues a step. */
  launch(shape: GraphShape): void {
    this.#device.launchGraph(this.#graph(shape), this.#stream);
  }

  close(): void {
    for (const graph of this.#graphs.values()) this.#device.destroyGraph(graph);
    this.#graphs.clear();
  }

  #graph(shape: GraphShape): Graph {
    const { rowCount, parts, topCount } = shape;
    const key = `${rowCount} ${parts.global} ${topCount}`;
    const known = this.#graphs.get(key);
    if (known !== undefined) return known;
    this.#device.beginCapture(this.#stream);
    this.#program.embed(rowCount);
    this.#program.layers(shape);
    this.#program.head({ first: 0, count: rowCount, topCount });
    const graph = this.#device.endCapture(this.#stream);
    this.#graphs.set(key, graph);
    return graph;
  }
}
