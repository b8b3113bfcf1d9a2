import type { ModelConfig } from "@drover/checkpoint";
import { assert, type RowLinks, type TraceCall } from "@drover/core";
import { type KvGeometry, kvGeometry } from "@drover/kv";
import type { CudaDevice, Event, Stream } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import { passed } from "../driver/passed.ts";
import type { Precision } from "../kernels/activations.ts";
import { ExchangeKernels } from "../kernels/exchange-kernels.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { ModelKernels } from "../kernels/model-kernels.ts";
import { TABLE_WORDS_MAX } from "../limits.ts";
import { LinkKernels } from "../links/link-kernels.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { freeForKv } from "../memory/free-for-kv.ts";
import { type PageLayout, pageRowsOf } from "../memory/page-layout.ts";
import { PageStore } from "../memory/page-store.ts";
import { StepStripes } from "../stripes/step-stripes.ts";
import { checkModelForCard } from "./check-model.ts";
import { LinearUploader } from "./device-linear.ts";
import { loadDeviceWeights, type TextSource } from "./device-weights.ts";
import { linkedStep } from "./linked-step.ts";
import { allocateBuffers } from "./step-buffers.ts";
import { type RemoteExperts, StepExchange } from "./step-exchange.ts";
import { type GraphCounts, StepGraphs } from "./step-graphs.ts";
import { type Question, type StepHeads, stepHeads } from "./step-heads.ts";
import { StepInputs } from "./step-inputs.ts";
import { type RankedRow, StepOutputs } from "./step-outputs.ts";
import { type RowRun, stepRows } from "./step-rows.ts";
import { NONE_AWAY, runSections, type StepSections } from "./step-sections.ts";
import { type StepShape, shapeOf } from "./step-shape.ts";
import { TextProgram } from "./text-program.ts";

export type CudaTextOptions = Readonly<{
  precision: Precision;
  /** What keys and values are kept as. */
  kv: Precision;
  /** Bytes of keys and values; `auto`: what the card has free behind everything else, but for {@link KV_AUTO_SPARED}. */
  kvBytesMax: number | "auto";
  /** Rows of the largest step. */
  rowsMax: number;
  /** Where machine code is kept from one start to the next; undefined: nowhere. */
  cacheFolder: string | undefined;
  onLayer?: (done: number, total: number) => void;
  /** Undefined: all experts are on this card. */
  remote?: RemoteExperts;
  /** A stream of the caller's, whose other work comes between steps; undefined: one of its own. */
  stream?: Stream;
}>;

/** Rows of an input embedding that take the place of their tokens', [n, D] from a row of the step on. */
export type GivenRows = Readonly<{ row: number; rows_aD: Float32Array }>;

/**
 * What came of a step: the wanted rows in order; the experts of all rows, [rows, MoE layers]; the runs of which a row was answered by nobody, whose rows say
 * nothing, and where all are lost there are none; and how long it waited for other workers.
 */
export type Answer = Readonly<{
  rows: readonly RankedRow[];
  experts: Uint16Array;
  lost: ReadonlySet<number>;
  exchangeMs: number;
}>;

/** A text model on one card, with all of its experts or beside others': rows in, likeliest tokens out. One step at a time. */
export class CudaText {
  readonly config: ModelConfig;
  readonly geometry: KvGeometry;
  /** Where the rows of sequences are: what a `KvCache` is made with. */
  readonly store: PageStore;
  readonly kvBytesMax: number;
  /** Rows, and pages of all sequences, of the largest step. */
  readonly rowsMax: number;
  readonly tableMax: number;
  readonly memory: DeviceMemory;
  readonly #device: CudaDevice;
  readonly #library: KernelLibrary;
  readonly #stream: Stream;
  readonly #done: Event;
  readonly #inputs: StepInputs;
  readonly #outputs: StepOutputs;
  readonly #program: TextProgram;
  readonly #graphs: StepGraphs;
  readonly #stripes: StepStripes;
  readonly #heads: StepHeads;
  readonly #exchange: StepExchange | undefined;
  readonly #h: bigint;
  readonly #tileRows: number;
  readonly #ownsStream: boolean;
  #isBusy = false;

  private constructor(parts: Parts) {
    this.config = parts.config;
    this.geometry = parts.geometry;
    this.store = parts.store;
    this.kvBytesMax = parts.kvBytesMax;
    this.rowsMax = parts.rowsMax;
    this.tableMax = parts.tableMax;
    this.memory = parts.memory;
    this.#device = parts.device;
    this.#library = parts.library;
    this.#stream = parts.stream;
    this.#inputs = parts.inputs;
    this.#outputs = parts.outputs;
    this.#program = parts.program;
    this.#graphs = parts.graphs;
    this.#stripes = parts.stripes;
    this.#heads = parts.heads;
    this.#exchange = parts.exchange;
    this.#h = parts.h;
    this.#tileRows = parts.tileRows;
    this.#ownsStream = parts.ownsStream;
    this.#done = parts.device.createEvent();
  }

  /** Compiles, loads the weights and takes all memory. Errors: the checkpoint's; `invalid_argument` for a model that no kernel fits; `overloaded` where the card is full; the compiler's. */
  static async load(cuda: Cuda, config: ModelConfig, source: TextSource, options: CudaTextOptions): Promise<CudaText> {
    checkModelForCard(config);
    const { device } = cuda;
    const memory = new DeviceMemory(device);
    const stream = options.stream ?? device.createStream();
    const { precision, kv, rowsMax } = options;
    const geometry = kvGeometry(config, kv);
    const library = new KernelLibrary(cuda, options.cacheFolder);
    const sizes = { ...config, pageRows: pageRowsOf(geometry), kv };
    const kernels = new ModelKernels(device, library, sizes, precision, stream);
    const onLayer = options.onLayer ?? (() => undefined);
    const uploader = new LinearUploader(device, memory, kernels.linears, stream);
    const { remote } = options;
    const held = remote && ((layer: number) => remote.held?.layer(layer));
    const loading = loadDeviceWeights(config, source, uploader, onLayer, held);
    const weights = await loading.finally(() => uploader.close());
    const buffers = allocateBuffers(config, rowsMax, kernels.activations, memory, (address, byteCount) =>
      device.fill(address, 0, byteCount, stream),
    );
    const outputs = new StepOutputs(device, buffers, rowsMax, config);
    const exchangeKernels = new ExchangeKernels(device, library, precision, stream);
    const linkKernels = new LinkKernels(device, library, precision, stream);
    const exchange =
      remote &&
      new StepExchange({ device, memory, stream, kernels: exchangeKernels, linkKernels }, config, remote, rowsMax);
    const kvBytesMax = options.kvBytesMax === "auto" ? freeForKv(device, remote?.bytesLeft) : options.kvBytesMax;
    const store = new PageStore(geometry, kvBytesMax, device, memory, stream, {
      dtype: kv,
      kvHeadCount: config.kvHeadCount,
    });
    const tableMax = tableWords(store.layout, rowsMax);
    const inputs = new StepInputs(device, memory, rowsMax, tableMax);
    const stripes = new StepStripes({ device, stream, kernels }, config, rowsMax, buffers.lse);
    const program = new TextProgram(config, kernels, weights, buffers, inputs, store.address, exchange, stripes);
    const graphs = new StepGraphs(device, stream, program, { rowsMax, vocabSize: config.vocabSize });
    graphs.prepare();
    const { h, logits } = buffers;
    const { vocabSize } = config;
    const heads = stepHeads({ device, memory, kernels, stream, program, outputs, logits, vocabSize }, rowsMax);
    const { tileRows } = kernels;
    const shared = { config, geometry, store, kvBytesMax, rowsMax, tableMax, memory };
    return new CudaText({
      ...shared,
      device,
      library,
      stream,
      inputs,
      outputs,
      program,
      graphs,
      stripes,
      heads,
      exchange,
      h,
      tileRows,
      ownsStream: options.stream === undefined,
    });
  }

  /** Whether every expert can be reached. */
  get usable(): boolean {
    return this.#exchange?.usable ?? true;
  }

  /** By which its rows may go to other cards of the host; undefined: none may. */
  get links(): RowLinks | undefined {
    return this.#exchange?.links;
  }

  get graphCounts(): GraphCounts {
    return this.#graphs.counts;
  }

  /** Computes rows, stores their keys and values, and answers. Errors: the card's, after which it is unusable. */
  async step(
    runs: readonly RowRun[],
    given: readonly GivenRows[],
    question: Question,
    traceCall?: TraceCall,
  ): Promise<Answer> {
    assert(!this.#isBusy, "one step at a time");
    this.#isBusy = true;
    const rows = stepRows(runs, this.config, this.store.layout.pageRows, this.#tileRows);
    const { rowCount } = rows;
    assert(rowCount > 0 && rowCount <= this.rowsMax, "a step has rows that fit");
    const { wanted, asked, topCount } = question;
    this.#heads.begin(question);
    // A graph's head has all rows, and its rows are those of tokens.
    const isStriped = this.#stripes.begin(runs);
    const isDecode = given.length === 0 && wanted.length === rowCount && !isStriped;
    const shape = isDecode ? this.#graphs.shapeOf({ rowCount, seen: rows.seen }, topCount) : undefined;
    const end = this.#exchange?.begin();
    this.#inputs.send(rows, shape?.rowCount ?? rowCount, wanted, asked, this.#stream);
    const single = shapeOf(rows, isStriped);
    // Who is asked by a card has no span.
    const links = traceCall === undefined && shape ? linkedStep(this.#exchange?.links) : undefined;
    if (shape && links) this.#graphs.whole({ ...shape, linkCount: links.count });
    const pieces = shape === undefined ? this.#singly(single, given) : this.#recorded(shape);
    const stops = this.#program.stops(single);
    const away = links
      ? NONE_AWAY
      : await runSections(pieces, runs, stops, (kind) => this.#program.port(kind), traceCall);
    const recorded = shape && { first: 0, count: rowCount, topCount: shape.topCount };
    const heads = away.lost.size === runs.length ? [] : this.#heads.enqueue(question, recorded);
    this.#outputs.fetch(heads, rowCount, this.#stream);
    this.#device.record(this.#done, this.#stream);
    await passed(this.#device, this.#done);
    end?.();
    this.#isBusy = false;
    const experts = this.#outputs.experts(0, rowCount);
    // Where all runs were lost the later layers have chosen nothing.
    if (away.lost.size < runs.length) this.#exchange?.tell(experts);
    return { rows: this.#heads.answer(heads, topCount), experts, ...(links?.end(experts, runs) ?? away) };
  }

  #recorded(shape: NonNullable<ReturnType<StepGraphs["shapeOf"]>>): StepSections {
    return {
      section: (index) => this.#graphs.section(index, shape),
      meanwhile: (index) => this.#graphs.meanwhile(index, shape),
    };
  }

  /** A step kernel by kernel; its heads are not among its sections. */
  #singly(shape: StepShape, given: readonly GivenRows[]): StepSections {
    const section = (index: number) => {
      if (index === 0) {
        this.#program.embed(shape.rowCount);
        for (const { row, rows_aD } of given) this.#give(row, rows_aD);
      }
      this.#program.section(index, shape);
    };
    return { section, meanwhile: (index) => this.#program.meanwhile(index, shape) };
  }

  /** Gives everything back to the card. */
  close(): void {
    this.#device.synchronize(this.#stream);
    this.#graphs.close();
    this.#device.destroyEvent(this.#done);
    this.#inputs.close();
    this.#outputs.close();
    this.#stripes.close();
    this.#heads.close();
    this.store.close();
    this.#exchange?.close();
    this.#library.close();
    this.memory.close();
    if (this.#ownsStream) this.#device.destroyStream(this.#stream);
  }

  /** Images' features are rare: ordinary memory will do, and the call waits. */
  #give(row: number, rows_aD: Float32Array): void {
    this.#device.synchronize(this.#stream);
    const bytes = new Uint8Array(rows_aD.buffer, rows_aD.byteOffset, rows_aD.byteLength);
    this.#device.write(this.#h + BigInt(4 * row * this.config.hiddenSize), bytes);
  }
}

type Parts = Readonly<{
  ownsStream: boolean;
  config: ModelConfig;
  geometry: KvGeometry;
  store: PageStore;
  kvBytesMax: number;
  rowsMax: number;
  tableMax: number;
  memory: DeviceMemory;
  device: CudaDevice;
  library: KernelLibrary;
  stream: Stream;
  inputs: StepInputs;
  outputs: StepOutputs;
  program: TextProgram;
  graphs: StepGraphs;
  stripes: StepStripes;
  heads: StepHeads;
  exchange: StepExchange | undefined;
  h: bigint;
  tileRows: number;
}>;

/** Pages that the sequences of a step can have at most, in both kinds of layers, where each has a row. */
function tableWords({ slabCount, slabUnits }: PageLayout, rowsMax: number): number {
  return Math.min(TABLE_WORDS_MAX, slabCount * slabUnits * rowsMax);
}
