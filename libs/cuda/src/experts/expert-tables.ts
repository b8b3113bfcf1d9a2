import type { LinearRows, ModelConfig } from "@drover/checkpoint";
import { assert, at, DroverError } from "@drover/core";
import type { CudaDevice, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { DeviceLinear } from "../kernels/product.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { LinearUploader } from "../model/device-linear.ts";
import type { DeviceMlp, TextSource } from "../model/device-weights.ts";
import { Retirement } from "./retirement.ts";

/** Bytes of a record of a table: where a matrix's numbers, and its scales, are. */
const RECORD_BYTES = 16;
/** The driver's own stream, in which ordinary memory is copied: waiting for it is waiting for the last of such copies. */
const COPIES = 0n as Stream;

/** An expert's two matrices. */
type Expert = Readonly<{ gateUp: DeviceLinear; down: DeviceLinear }>;

/** What experts are brought to the card with, on a stream of their own. */
export type ExpertUpload = Readonly<{
  device: CudaDevice;
  memory: DeviceMemory;
  uploader: LinearUploader;
  stream: Stream;
}>;

/**
 * The routed experts that a card holds, of each layer a table of its own with a place for each expert: what is loaded or unloaded changes tables and memory,
 * and no address that a recorded graph has.
 */
export class ExpertTables {
  readonly #upload: ExpertUpload;
  readonly #source: TextSource;
  readonly #layers: ReadonlyMap<number, DeviceMlp>;
  readonly #held = new Map<number, Map<number, Expert>>();
  readonly #retirement = new Retirement();
  readonly #record: HostMemory;
  /** The end of the last load. */
  #loaded: Promise<void> = Promise.resolve();
  #version = 0;

  private constructor(upload: ExpertUpload, source: TextSource, layers: ReadonlyMap<number, DeviceMlp>) {
    this.#upload = upload;
    this.#source = source;
    this.#layers = layers;
    this.#record = upload.device.allocateHost(RECORD_BYTES);
  }

  /** Tables of all layers, without an expert. Errors: the checkpoint's; `overloaded` where the card is full. */
  static async open(config: ModelConfig, source: TextSource, upload: ExpertUpload): Promise<ExpertTables> {
    const layers = new Map<number, DeviceMlp>();
    const { memory, uploader } = upload;
    for (const layer of config.moeLayers) {
      const rows = await source.rows.expert(layer, 0);
      const table = (of: LinearRows): DeviceLinear => ({
        format: uploader.formatOf(of, source.quantization),
        outSize: of.outSize,
        inSize: of.inSize,
        count: config.expertCount,
        table: memory.allocate("weights", RECORD_BYTES * config.expertCount),
        records: new BigUint64Array(0),
      });
      const { gateUp, down } = rows;
      layers.set(layer, { gateUp: table(gateUp), down: table(down), width: config.expertWidth });
    }
    return new ExpertTables(upload, source, layers);
  }

  /** A layer's experts: those that are not held have records that are not to be read. */
  layer(layer: number): DeviceMlp {
    const found = this.#layers.get(layer);
    assert(found !== undefined, "the layer has experts");
    return found;
  }

  /** It changes with what is held. */
  get version(): number {
    return this.#version;
  }

  has(layer: number, expert: number): boolean {
    return this.#held.get(layer)?.has(expert) ?? false;
  }

  /** What is held, layer by layer, ascending. */
  loaded(): { layer: number; experts: number[] }[] {
    return [...this.#held]
      .filter(([, experts]) => experts.size > 0)
      .sort(([a], [b]) => a - b)
      .map(([layer, experts]) => ({ layer, experts: [...experts.keys()].sort((a, b) => a - b) }));
  }

  /** Brings an expert to the card; nothing where it is there. One after the other, so that a fault of reading is told of whose it is. Errors: the checkpoint's; `overloaded` where the card is full. */
  load(layer: number, expert: number): Promise<void> {
    const done = this.#loaded.then(() => this.#load(layer, expert));
    this.#loaded = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #load(layer: number, expert: number): Promise<void> {
    if (this.has(layer, expert)) return;
    const { uploader } = this.#upload;
    const { rows: source, quantization } = this.#source;
    const rows = await source.expert(layer, expert);
    const gateUp = await uploader.upload([rows.gateUp], { isGated: true, quantization });
    let down: DeviceLinear | undefined;
    try {
      down = await uploader.upload([rows.down], { quantization });
      await uploader.finish();
      this.#publish(layer, expert, { gateUp, down });
    } catch (error) {
      for (const made of [gateUp, down]) if (made !== undefined) uploader.release(made);
      throw error;
    }
  }

  /** Takes an expert out of use; its memory is free once nothing that began before uses it. */
  unload(layer: number, expert: number): void {
    const held = this.#held.get(layer)?.get(expert);
    if (held === undefined) return;
    this.#held.get(layer)?.delete(expert);
    this.#version += 1;
    this.#retirement.retire(() => {
      this.#upload.uploader.release(held.gateUp);
      this.#upload.uploader.release(held.down);
    });
  }

  /** Something begins that uses what is held now; what comes back ends it. */
  begin(): () => void {
    return this.#retirement.begin();
  }

  close(): void {
    this.#upload.device.freeHost(this.#record);
  }

  #publish(layer: number, expert: number, made: Expert): void {
    const { gateUp, down } = this.layer(layer);
    for (const [table, own] of [
      [gateUp, made.gateUp],
      [down, made.down],
    ] as const) {
      if (JSON.stringify(own.format) !== JSON.stringify(table.format))
        throw new DroverError(
          "invalid_argument",
          `experts 0 and ${expert} of layer ${layer} are stored in different ways`,
        );
      this.#write(table, expert, own);
    }
    const experts = this.#held.get(layer) ?? new Map<number, Expert>();
    this.#held.set(layer, experts.set(expert, made));
    this.#version += 1;
  }

  /** A record that was one of the same expert before may be read meanwhile: both say where the same numbers are. */
  #write({ table }: DeviceLinear, expert: number, { records }: DeviceLinear): void {
    const { device, stream } = this.#upload;
    const { buffer, byteOffset } = this.#record.bytes;
    new BigUint64Array(buffer, byteOffset, 2).set([at(records, 0), at(records, 1)]);
    device.synchronize(COPIES);
    device.copyFromHost(table + BigInt(RECORD_BYTES * expert), this.#record, 0, RECORD_BYTES, stream);
    device.synchronize(stream);
  }
}
