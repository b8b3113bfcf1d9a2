import type { ModelConfig } from "@drover/checkpoint";
import { at, type ExpertExchange, type TraceCall } from "@drover/core";
import type { CudaDevice, DeviceAddress, Event, HostMemory, Stream } from "../driver/cuda-device.ts";
import { passed } from "../driver/passed.ts";
import type { ExpertTables } from "../experts/expert-tables.ts";
import type { ExchangeKernels } from "../kernels/exchange-kernels.ts";
import type { LinkKernels } from "../links/link-kernels.ts";
import { type DirectRows, StepLinks } from "../links/step-links.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { LostRuns } from "./lost-runs.ts";
import type { StepBuffers } from "./step-buffers.ts";
import type { StepShape } from "./step-shape.ts";

/** Where a card's steps find the experts that it does not hold, and those that it does. */
export type RemoteExperts = Readonly<{
  exchange: ExpertExchange;
  /** Those on this card; undefined: none. */
  held: ExpertTables | undefined;
  /** Bytes of the card that they may take yet. */
  bytesLeft: number;
  /** Learns of rows whose expert is on this card. */
  rowsHere: (layer: number, expert: number, rowCount: number) => void;
  /** Where rows may go to other cards of the host by themselves; undefined: they never do. */
  direct?: DirectRows;
}>;

const WORD = 4;

/**
 * A step's rows on their way to other workers' experts and back, one layer at a time, through pinned memory that the card's kernels write and read by themselves. What is
 * on the card is decided once a step: experts that come and go meanwhile are of the next one.
 */
export class StepExchange {
  /** By which rows go to other cards by themselves; undefined: there are none. */
  readonly links: StepLinks | undefined;
  readonly #device: CudaDevice;
  readonly #stream: Stream;
  readonly #kernels: ExchangeKernels;
  readonly #config: ModelConfig;
  readonly #remote: RemoteExperts;
  readonly #host: Readonly<Record<"z" | "y" | "away" | "places", HostMemory>>;
  readonly #rows: Readonly<{ z: Float32Array; y: Float32Array; away: Int32Array; places: Int32Array }>;
  readonly #places: DeviceAddress;
  readonly #given: Event;
  #version: number | undefined;

  constructor(
    card: Readonly<{
      device: CudaDevice;
      memory: DeviceMemory;
      stream: Stream;
      kernels: ExchangeKernels;
      linkKernels: LinkKernels;
    }>,
    config: ModelConfig,
    remote: RemoteExperts,
    rowsMax: number,
  ) {
    const { device, memory, stream, kernels } = card;
    this.#device = device;
    this.#stream = stream;
    this.#kernels = kernels;
    this.#config = config;
    this.#remote = remote;
    const rowBytes = WORD * rowsMax * config.hiddenSize;
    const placeBytes = WORD * config.moeLayers.length * config.expertCount;
    const pinned = (byteCount: number) => device.allocateHost(byteCount);
    this.#host = { z: pinned(rowBytes), y: pinned(rowBytes), away: pinned(WORD * rowsMax), places: pinned(placeBytes) };
    const { z, y, away, places } = this.#host;
    this.#rows = { z: floats(z), y: floats(y), away: integers(away), places: integers(places) };
    // Rows that nobody answers are computed with what is there, and given up: it has to be a number.
    this.#rows.y.fill(0);
    this.#places = memory.allocate("exchange", placeBytes);
    this.#given = device.createEvent();
    const { direct, held } = remote;
    this.links = direct && new StepLinks({ device, memory, stream, kernels: card.linkKernels }, config, held, direct);
  }

  /** How often a step's rows go to other workers: once in each layer with experts. */
  get count(): number {
    return this.#config.moeLayers.length;
  }

  get usable(): boolean {
    return this.#remote.exchange.usable;
  }

  /** Of each expert of a layer with experts its place among the layer's matrices here; negative: it is not here. */
  places(moeIndex: number): DeviceAddress {
    return this.#places + BigInt(WORD * moeIndex * this.#config.expertCount);
  }

  /** A step begins: what is held now is used until the function that comes back is called. Enqueues what the card is told of it. */
  begin(): () => void {
    const { held } = this.#remote;
    const end = held?.begin();
    const version = held?.version ?? 0;
    if (version !== this.#version) {
      this.#version = version;
      const { moeLayers, expertCount } = this.#config;
      this.#rows.places.fill(-1);
      for (const { layer, experts } of held?.loaded() ?? [])
        for (const expert of experts) this.#rows.places[moeLayers.indexOf(layer) * expertCount + expert] = expert;
      this.#device.copyFromHost(this.#places, this.#host.places, 0, this.#host.places.bytes.byteLength, this.#stream);
    }
    return () => end?.();
  }

  /** Enqueues that rows of other workers' experts are written where they are sent from. */
  give({ rowCount, linkCount }: StepShape, moeIndex: number, buffers: StepBuffers, live: DeviceAddress): void {
    if (linkCount !== undefined) {
      this.links?.send(rowCount, linkCount, moeIndex, buffers, live);
      return;
    }
    const { exact, chosen, routing } = buffers;
    this.#kernels.give(rowCount, {
      exact,
      scales: routing.scales,
      chosen,
      live,
      places: this.places(moeIndex),
      away: this.#host.away.address,
      given: this.#host.z.address,
      width: this.#config.hiddenSize,
      stride: this.#config.moeLayers.length,
      column: moeIndex,
    });
  }

  /** Enqueues that what came back is taken in. */
  bring({ rowCount, linkCount }: StepShape, buffers: StepBuffers): void {
    if (linkCount !== undefined) {
      this.links?.receive(rowCount, linkCount, buffers);
      return;
    }
    const { routed } = buffers;
    const { away, y } = this.#host;
    const width = this.#config.hiddenSize;
    this.#kernels.bring(rowCount, { away: away.address, answers: y.address, routed, width });
  }

  /** Marks where rows are given, on the stream: to be called before what is computed meanwhile is enqueued. */
  mark(): void {
    this.#device.record(this.#given, this.#stream);
  }

  /** Waits until the rows are given. */
  given(): Promise<void> {
    return passed(this.#device, this.#given);
  }

  /** Sends the rows that were given, but for those that are lost already, and waits for the answers. Returns the rows that have none. */
  async exchange(moeIndex: number, lost: LostRuns, traceCall: TraceCall | undefined): Promise<readonly number[]> {
    const { rowCount } = lost;
    const expert_a = this.#rows.away.slice(0, rowCount).map((expert, row) => (lost.has(row) ? -1 : expert));
    if (expert_a.every((expert) => expert < 0)) return [];
    const { z, y } = this.#rows;
    const end = rowCount * this.#config.hiddenSize;
    const rows = { z_aD: z.subarray(0, end), y_aD: y.subarray(0, end) };
    const layer = at(this.#config.moeLayers, moeIndex);
    const { missing } = await this.#remote.exchange.exchange({ layer, ...rows, expert_a, rowCount, traceCall });
    return missing;
  }

  /** Tells of the rows that were computed here. `experts` [rows, MoE layers]. */
  tell(experts: Uint16Array): void {
    const { moeLayers, expertCount } = this.#config;
    const counts = new Map<number, number>();
    for (let i = 0; i < experts.length; i++) {
      const place = (i % moeLayers.length) * expertCount + at(experts, i);
      if (at(this.#rows.places, place) >= 0) counts.set(place, (counts.get(place) ?? 0) + 1);
    }
    for (const [place, count] of counts)
      this.#remote.rowsHere(at(moeLayers, Math.floor(place / expertCount)), place % expertCount, count);
  }

  close(): void {
    this.links?.close();
    for (const memory of Object.values(this.#host)) this.#device.freeHost(memory);
    this.#device.destroyEvent(this.#given);
  }
}

function floats({ bytes }: HostMemory): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}

function integers({ bytes }: HostMemory): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / WORD);
}
