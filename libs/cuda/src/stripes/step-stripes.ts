import { assert, type TraceCall } from "@drover/core";
import { type AskedStripes, askStripes, mergeAnswers, type QuerySizes, type SequenceStripes } from "@drover/sequences";
import type { CudaDevice, DeviceAddress, Event, HostMemory, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import type { ModelKernels } from "../kernels/model-kernels.ts";
import type { LostRuns } from "../model/lost-runs.ts";
import type { RemoteSegments } from "./remote-segments.ts";

/** A run of a step as far as its old rows are elsewhere. */
type StripedRun = Readonly<{ tokenIds: Int32Array; remote?: RemoteSegments | undefined }>;

/** The rows of a run whose old rows are with context workers. */
type AwayPart = Readonly<{ stripes: SequenceStripes; remoteEnd: number; offset: number; rowCount: number }>;

const WORD = 4;
/** `NONE` of prelude.cuh: nothing was attended to. */
const NONE = -3e38;

/**
 * A step's queries on their way to context workers and what they attend to on its way back, one global layer at a time, through pinned memory that a kernel reads by itself. What is
 * attended to on the card is computed meanwhile. Pinned memory is taken with the first step that needs it.
 */
export class StepStripes {
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #kernels: ModelKernels;
  readonly #sizes: QuerySizes;
  readonly #rowsMax: number;
  readonly #lse: DeviceAddress;
  readonly #given: Event;
  #host: PinnedRows | undefined;
  #parts: readonly AwayPart[] = [];
  #rowCount = 0;

  /** `lse`: room for the logarithms of the sums of weights of what the card attends to, [rows, H] f32. */
  constructor(
    card: Readonly<{ device: CudaDevice; stream: Stream; kernels: ModelKernels }>,
    sizes: QuerySizes,
    rowsMax: number,
    lse: DeviceAddress,
  ) {
    this.#device = card.device;
    this.#stream = card.stream;
    this.#kernels = card.kernels;
    this.#sizes = sizes;
    this.#rowsMax = rowsMax;
    this.#lse = lse;
    this.#given = card.device.createEvent();
  }

  get lse(): DeviceAddress {
    return this.#lse;
  }

  /** A step begins. Returns whether holders have a part of what it attends to. */
  begin(runs: readonly StripedRun[]): boolean {
    let offset = 0;
    const parts: AwayPart[] = [];
    for (const { tokenIds, remote } of runs) {
      const rowCount = tokenIds.length;
      if (remote !== undefined) parts.push({ stripes: remote.stripes, remoteEnd: remote.end, offset, rowCount });
      offset += rowCount;
    }
    this.#parts = parts;
    this.#rowCount = offset;
    if (parts.length === 0) return false;
    this.#host ??= pinnedRows(this.#device, this.#rowsMax, this.#sizes);
    this.#host.lse_aH.fill(NONE, 0, offset * this.#sizes.headCount);
    return true;
  }

  /** Enqueues the copies of the queries that are sent, q [rows, H*d] f32. */
  give(q: DeviceAddress): void {
    const host = this.#pinned();
    const rowBytes = WORD * this.#width;
    for (const { offset, rowCount } of this.#parts) {
      const place = offset * rowBytes;
      this.#device.copyToHost(host.q, place, q + BigInt(place), rowCount * rowBytes, this.#stream);
    }
  }

  /** Marks where queries are given, on the stream. */
  mark(): void {
    this.#device.record(this.#given, this.#stream);
  }

  given(): Promise<void> {
    return passed(this.#device, this.#given);
  }

  /** Sends the queries of a global layer, counted among these, but for those of lost runs, and waits for the answers. Returns a row of each run that has none. */
  async exchange(layer: number, lost: LostRuns, traceCall: TraceCall | undefined): Promise<readonly number[]> {
    const { q_aQ, attended_aQ, lse_aH } = this.#pinned();
    const asking = this.#parts.filter(({ offset }) => !lost.has(offset));
    const asked: AskedStripes<AwayPart> = askStripes(layer, asking, q_aQ, this.#sizes, traceCall);
    lse_aH.fill(NONE, 0, this.#rowCount * this.#sizes.headCount);
    attended_aQ.fill(0, 0, this.#rowCount * this.#width);
    const missing = await mergeAnswers(asked, attended_aQ, lse_aH, this.#sizes);
    return [...missing].map(({ offset }) => offset);
  }

  /** Enqueues that the answers are taken into what the card attends to, `y` as activations. */
  bring(rowCount: number, y: DeviceAddress): void {
    const { attended, lse } = this.#pinned();
    this.#kernels.fold(rowCount, { given: attended.address, givenLse: lse.address, lse: this.#lse, y });
  }

  close(): void {
    this.#device.destroyEvent(this.#given);
    if (this.#host === undefined) return;
    for (const memory of [this.#host.q, this.#host.attended, this.#host.lse]) this.#device.freeHost(memory);
  }

  get #width(): number {
    return this.#sizes.headCount * this.#sizes.headDim;
  }

  #pinned(): PinnedRows {
    assert(this.#host !== undefined, "a step whose queries are sent has begun");
    return this.#host;
  }
}

/** Queries, and what comes back: [rows, H*d], [rows, H*d] and [rows, H]. */
type PinnedRows = Readonly<{
  q: HostMemory;
  attended: HostMemory;
  lse: HostMemory;
  q_aQ: Float32Array;
  attended_aQ: Float32Array;
  lse_aH: Float32Array;
}>;

function pinnedRows(device: CudaDevice, rowsMax: number, { headCount, headDim }: QuerySizes): PinnedRows {
  const make = (width: number) => device.allocateHost(WORD * rowsMax * width);
  const [q, attended, lse] = [make(headCount * headDim), make(headCount * headDim), make(headCount)];
  return { q, attended, lse, q_aQ: floats(q), attended_aQ: floats(attended), lse_aH: floats(lse) };
}

function floats({ bytes }: HostMemory): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}
