import { at } from "@drover/core";
import { captured } from "../driver/captured.ts";
import type { CudaDevice, Graph, Stream } from "../driver/cuda-device.ts";
import { HEAD_ROWS_MAX, LINK_ROWS_MAX, TOP_COUNT_MAX } from "../limits.ts";
import type { Question } from "./step-heads.ts";
import type { StepRows } from "./step-rows.ts";
import type { StepShape } from "./step-shape.ts";
import type { HeadRun, TextProgram } from "./text-program.ts";

/** Numbers of rows that there are graphs for: a step has the next one, and idle rows. */
const BUCKETS = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, LINK_ROWS_MAX] as const;
/** Positions that a row sees at most, that there are graphs for; and that of all that see more. Blocks of attention that have no part of them cost time, so there are several. */
const SEEN = [256, 512, 1024, 1280, 1536, 2048, 3072, 4096, 8192] as const;
const SEEN_LAST = Number.MAX_SAFE_INTEGER;
/** Positions that a prompt's rows may see where each of them reads keys and values by itself. */
const ROW_BY_ROW_MAX = 8192;

export type GraphCounts = Readonly<{ recorded: number; replayed: number }>;

/** What decides which graph a step is. `topCount` undefined: its head is not in it. */
export type GraphShape = StepShape & Readonly<{ topCount: number | undefined }>;

/**
 * Steps of few rows, each launched as one graph, or as one for each section where rows go to other workers: all that is new in a step lies in the card's memory, where the graph finds it. Where all rows are wanted, as sequences decode,
 * the head is in it; rows of prompts see what they attend to each by itself. A shape's graph is recorded when it is first launched, some milliseconds; there are at most 310 shapes, of some 2 MB each, most of which never come.
 */
export class StepGraphs {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #program: TextProgram;
  readonly #buckets: readonly number[];
  readonly #topCountMax: number;
  readonly #graphs = new Map<string, readonly Graph[]>();
  #recordedCount = 0;
  #replayedCount = 0;

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

  /** Graphs that were recorded, and launches of them, since the start. */
  get counts(): GraphCounts {
    return { recorded: this.#recordedCount, replayed: this.#replayedCount };
  }

  /**
   * The graph of a step: with its head where all rows are wanted; without, where its rows may go to other cards by themselves, which only those of a graph do. Undefined: it is
   * enqueued kernel by kernel.
   */
  shapeOfStep(rows: StepRows, { wanted, topCount }: Question, isLinked: boolean): GraphShape | undefined {
    const whole = wanted.length === rows.rowCount ? this.shapeOf(rows, topCount) : undefined;
    return whole === undefined && isLinked && rows.seen.global <= ROW_BY_ROW_MAX ? this.shapeOf(rows) : whole;
  }

  /** The shape of so many rows' graph, idle ones among them, without its head where `topCount` is left out; undefined: there is none. */
  shapeOf({ rowCount, seen }: Pick<StepShape, "rowCount" | "seen">, topCount?: number): GraphShape | undefined {
    const bucket = this.#buckets.find((count) => count >= rowCount);
    if (bucket === undefined || (topCount !== undefined && bucket > HEAD_ROWS_MAX)) return undefined;
    const most = Math.max(seen.global, seen.local);
    const both = SEEN.find((count) => count >= most) ?? SEEN_LAST;
    return {
      rowCount: bucket,
      seen: { global: both, local: both },
      tiling: undefined,
      topCount: topCount === undefined || topCount === 1 ? topCount : this.#topCountMax,
    };
  }

  /** Records the graphs of all numbers of rows, which compiles their kernels. Errors: the compiler's. */
  prepare(): void {
    const seen = { global: 1, local: 1 };
    for (const rowCount of this.#buckets) {
      const shape = this.shapeOf({ rowCount, seen }, 1);
      if (shape !== undefined) this.#pieces(shape);
    }
  }

  /** Enqueues a section of a step, the first with its input embeddings, the last with its head. */
  section(index: number, shape: GraphShape): void {
    this.#launch(at(this.#pieces(shape), 2 * index));
  }

  /** Enqueues all of a step whose rows go to other cards by themselves. */
  whole(shape: GraphShape): void {
    this.#launch(this.#whole(shape));
  }

  /** Enqueues what is computed while the rows of an exchange are away. */
  meanwhile(index: number, shape: GraphShape): void {
    this.#launch(at(this.#pieces(shape), 2 * index + 1));
  }

  close(): void {
    for (const graph of [...this.#graphs.values()].flat()) this.#device.destroyGraph(graph);
    this.#graphs.clear();
  }

  /** A step's sections, and between two of them what is computed while rows are away. */
  #pieces(shape: GraphShape): readonly Graph[] {
    const { rowCount, seen, topCount } = shape;
    const key = `${rowCount} ${seen.global} ${topCount}`;
    const known = this.#graphs.get(key);
    if (known !== undefined) return known;
    const program = this.#program;
    const pieces: Graph[] = [];
    const stopCount = program.stops(shape).length;
    for (let index = 0; index <= stopCount; index++) {
      const isLast = index === stopCount;
      pieces.push(
        this.#record(() => {
          if (index === 0) program.embed(rowCount);
          program.section(index, shape);
          if (isLast && topCount !== undefined) program.head({ first: 0, count: rowCount, topCount });
        }),
      );
      if (!isLast) pieces.push(this.#record(() => program.meanwhile(index, shape)));
    }
    this.#graphs.set(key, pieces);
    return pieces;
  }

  #whole(shape: GraphShape): Graph {
    const { rowCount, seen, topCount, linkCount } = shape;
    const key = `${rowCount} ${seen.global} ${topCount} ${linkCount}`;
    const known = this.#graphs.get(key)?.[0];
    if (known !== undefined) return known;
    const program = this.#program;
    const graph = this.#record(() => {
      program.embed(rowCount);
      program.section(0, shape);
      for (const index of program.stops(shape).keys()) {
        program.meanwhile(index, shape);
        program.section(index + 1, shape);
      }
      if (topCount !== undefined) program.head({ first: 0, count: rowCount, topCount });
    });
    this.#graphs.set(key, [graph]);
    return graph;
  }

  #launch(graph: Graph): void {
    this.#replayedCount += 1;
    this.#device.launchGraph(graph, this.#stream);
  }

  #record(enqueue: () => void): Graph {
    this.#recordedCount += 1;
    return captured(this.#device, this.#stream, enqueue);
  }
}

/** What of the head a graph has computed of so many rows of a step; undefined: nothing. */
export function recordedHead(rowCount: number, { topCount }: GraphShape): HeadRun | undefined {
  return topCount === undefined ? undefined : { first: 0, count: rowCount, topCount };
}
