import type { ModelConfig } from "@drover/checkpoint";
import { assert, at, type RowLinks, type TraceCall } from "@drover/core";
import { type KvGeometry, kvGeometry } from "@drover/kv";
import type { CudaDevice, Stream } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import type { Precision } from "../kernels/activations.ts";
import { ExchangeKernels } from "../kernels/exchange-kernels.ts";
import { KernelLibrary } from "../kernels/kernel-library.ts";
import { ModelKernels } from "../kernels/model-kernels.ts";
import { LinkKernels } from "../links/link-kernels.ts";
import { DeviceMemory } from "../memory/device-memory.ts";
import { freeForKv } from "../memory/free-for-kv.ts";
import { pageRowsOf } from "../memory/page-layout.ts";
import { PageStore } from "../memory/page-store.ts";
import { StepStripes } from "../stripes/step-stripes.ts";
import { checkModelForCard } from "./check-model.ts";
import { LinearUploader } from "./device-linear.ts";
import { loadDeviceWeights, type TextSource } from "./device-weights.ts";
import { linkedStep } from "./linked-step.ts";
import { allocateBuffers } from "./step-buffers.ts";
import { DRAWN_BYTES } from "./step-draws.ts";
import { type RemoteExperts, StepExchange } from "./step-exchange.ts";
import { StepFlights } from "./step-flights.ts";
import { type GraphCounts, type GraphShape, recordedHead, StepGraphs } from "./step-graphs.ts";
import { type Question, type StepHeads, stepHeads } from "./step-heads.ts";
import { StepInputs, tableWords } from "./step-inputs.ts";
import { type RankedRow, StepOutputs } from "./step-outputs.ts";
import { type RowRun, type StepRows, stepRows } from "./step-rows.ts";
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
  readonly #parts: Parts;
  readonly #flights: StepFlights;
  #isBusy = false;

  private constructor(parts: Parts) {
    this.config = parts.config;
    this.geometry = parts.geometry;
    this.store = parts.store;
    this.kvBytesMax = parts.kvBytesMax;
    this.rowsMax = parts.rowsMax;
    this.tableMax = parts.tableMax;
    this.memory = parts.memory;
    this.#parts = parts;
    this.#flights = new StepFlights(parts);
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
    const { h, logits, topIds } = buffers;
    const { vocabSize } = config;
    const heads = stepHeads({ device, memory, kernels, stream, program, outputs, logits, vocabSize }, rowsMax);
    const shared = { config, geometry, store, kvBytesMax, rowsMax, tableMax, memory, kernels };
    const steps = { device, library, stream, inputs, outputs, program, graphs, stripes, heads, exchange };
    return new CudaText({ ...shared, ...steps, h, topIds, ownsStream: options.stream === undefined });
  }

  /** Whether every expert can be reached. */
  get usable(): boolean {
    return this.#parts.exchange?.usable ?? true;
  }

  /** By which its rows may go to other cards of the host; undefined: none may. */
  get links(): RowLinks | undefined {
    return this.#parts.exchange?.links;
  }

  get graphCounts(): GraphCounts {
    return this.#parts.graphs.counts;
  }

  /** Computes rows, stores their keys and values, and answers. Not to be called before the last step is over. Errors: the card's, after which it is unusable. */
  async step(
    runs: readonly RowRun[],
    given: readonly GivenRows[],
    question: Question,
    traceCall?: TraceCall,
  ): Promise<Answer> {
    assert(!this.#isBusy && !this.#flights.isBusy, "one step at a time");
    const { stripes, graphs, exchange, inputs, stream, program, heads } = this.#parts;
    this.#isBusy = true;
    const rows = this.#rowsOf(runs);
    const { rowCount } = rows;
    const { wanted, asked } = question;
    const isDrawn = heads.begin(question);
    const isStriped = stripes.begin(runs);
    const isPlain = given.length === 0 && !isStriped;
    const shape = isPlain ? graphs.shapeOfStep(rows, question, exchange?.links !== undefined) : undefined;
    const end = exchange?.begin();
    inputs.send(rows, shape?.rowCount ?? rowCount, { wanted, asked }, stream);
    const single = shapeOf(rows, isStriped);
    // Who is asked by a card has no span.
    const links = traceCall === undefined && shape ? linkedStep(exchange?.links) : undefined;
    if (shape && links) graphs.whole({ ...shape, linkCount: links.count });
    const pieces = shape ? this.#recorded(shape) : this.#singly(single, given);
    const stops = program.stops(single);
    // What stops nowhere is enqueued before anybody waits: another step may follow it.
    if (!links && stops.length === 0) pieces.section(0);
    const isWhole = links !== undefined || stops.length === 0;
    const away = isWhole ? NONE_AWAY : await runSections(pieces, runs, stops, (kind) => program.port(kind), traceCall);
    const recorded = shape && recordedHead(rowCount, shape);
    const head = away.lost.size === runs.length ? [] : heads.enqueue(question, recorded, 0);
    const followed = isDrawn && exchange === undefined ? recorded : undefined;
    const flight = this.#flights.begin({ question, head, rowCount, turn: 0, followed });
    const { rows: ranked, experts } = await this.#flights.end(flight);
    end?.();
    this.#isBusy = false;
    // Where all runs were lost the later layers have chosen nothing.
    if (away.lost.size < runs.length) exchange?.tell(experts);
    return { rows: ranked, experts, ...(links?.end(experts, runs) ?? away) };
  }

  /**
   * Enqueues a step of one row a run behind the step that is computed, all of whose rows were wanted: the token of run i is what that step draws from its row `of[i]`. Undefined, with nothing
   * changed, where it has to wait: where the card does not draw all tokens of both, there is no graph for its rows, or another step was enqueued behind already. Errors: as of {@link step}.
   */
  follow(runs: readonly RowRun[], question: Question, of: readonly number[]): Promise<Answer> | undefined {
    const last = this.#flights.followable;
    if (last === undefined || this.#parts.exchange !== undefined) return undefined;
    const { graphs, inputs, heads, stream } = this.#parts;
    const rows = this.#rowsOf(runs);
    const { rowCount } = rows;
    const { wanted, asked } = question;
    const shape = graphs.shapeOfStep(rows, question, false);
    const turn = 1 - last.turn;
    const followed = shape && recordedHead(rowCount, shape);
    if (!shape || !followed || !inputs.canFollow(rows) || !heads.follow(question, turn)) return undefined;
    const places = heads.tokenPlaces(last.question, last.followed);
    inputs.send(rows, shape.rowCount, { wanted, asked, from: Int32Array.from(of, (row) => at(places, row)) }, stream);
    this.#takeTokens(rowCount);
    graphs.section(0, shape);
    const head = heads.enqueue(question, followed, turn);
    last.isFollowed = true;
    const flight = this.#flights.begin({ question, head, rowCount, turn, followed });
    return this.#flights.end(flight).then((ended) => ({ ...ended, ...NONE_AWAY }));
  }

  #takeTokens(rowCount: number): void {
    const { kernels, inputs, heads, topIds: top, config } = this.#parts;
    const lists = { from: inputs.list("from"), ids: inputs.list("tokenIds") };
    const drawn = { drawn: heads.drawn, recordBytes: DRAWN_BYTES };
    kernels.follow(rowCount, { ...lists, top, ...drawn, vocabSize: config.vocabSize });
  }

  #rowsOf(runs: readonly RowRun[]): StepRows {
    const rows = stepRows(runs, this.config, this.store.layout.pageRows, this.#parts.kernels.tileRows);
    assert(rows.rowCount > 0 && rows.rowCount <= this.rowsMax, "a step has rows that fit");
    return rows;
  }

  #recorded(shape: GraphShape): StepSections {
    const { graphs } = this.#parts;
    return {
      section: (index) => graphs.section(index, shape),
      meanwhile: (index) => graphs.meanwhile(index, shape),
    };
  }

  /** A step kernel by kernel; its heads are not among its sections. */
  #singly(shape: StepShape, given: readonly GivenRows[]): StepSections {
    const { program } = this.#parts;
    const section = (index: number) => {
      if (index === 0) {
        program.embed(shape.rowCount);
        for (const { row, rows_aD } of given) this.#give(row, rows_aD);
      }
      program.section(index, shape);
    };
    return { section, meanwhile: (index) => program.meanwhile(index, shape) };
  }

  /** Gives everything back to the card. */
  close(): void {
    const { device, stream, graphs, inputs, outputs, stripes, heads, exchange, library, ownsStream } = this.#parts;
    device.synchronize(stream);
    graphs.close();
    this.#flights.close();
    inputs.close();
    outputs.close();
    stripes.close();
    heads.close();
    this.store.close();
    exchange?.close();
    library.close();
    this.memory.close();
    if (ownsStream) device.destroyStream(stream);
  }

  /** Images' features are rare: ordinary memory will do, and the call waits. */
  #give(row: number, rows_aD: Float32Array): void {
    const { device, stream, h } = this.#parts;
    device.synchronize(stream);
    const bytes = new Uint8Array(rows_aD.buffer, rows_aD.byteOffset, rows_aD.byteLength);
    device.write(h + BigInt(4 * row * this.config.hiddenSize), bytes);
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
  kernels: ModelKernels;
  h: bigint;
  topIds: bigint;
}>;
