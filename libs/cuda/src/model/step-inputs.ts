import { assert } from "@drover/core";
import type { KvKind } from "@drover/kv";
import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { RowPlaces } from "../kernels/kernel-sizes.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { StepRows } from "./step-rows.ts";

const WORD = 4;
/** Lists of a number a row, in their order. */
const LISTS = [
  "tokenIds",
  "positions",
  "temperatures",
  "globalStarts",
  "globalFirsts",
  "globalSlots",
  "localStarts",
  "localFirsts",
  "localSlots",
  "tiles",
  "wanted",
  "asked",
] as const;
type List = (typeof LISTS)[number];

/** Words before the lists: the number of rows that are routed. */
const HEAD_WORDS = 64;

/**
 * What a step is told, in pinned memory and on the card: one copy brings it there. Addresses stay, so that a graph that was recorded once finds each step's
 * numbers; the table is the last, and only as much of it is copied as there is.
 */
export class StepInputs {
  readonly #device: CudaDevice;
  readonly #host: HostMemory;
  readonly #words: Int32Array;
  readonly #floats: Float32Array;
  readonly #address: DeviceAddress;
  readonly #rowsMax: number;
  readonly #tableMax: number;

  constructor(device: CudaDevice, memory: DeviceMemory, rowsMax: number, tableMax: number) {
    const byteCount = WORD * (HEAD_WORDS + LISTS.length * rowsMax + tableMax);
    this.#device = device;
    this.#host = device.allocateHost(byteCount);
    const { buffer, byteOffset } = this.#host.bytes;
    this.#words = new Int32Array(buffer, byteOffset, byteCount / WORD);
    this.#floats = new Float32Array(buffer, byteOffset, byteCount / WORD);
    this.#address = memory.allocate("exchange", byteCount);
    this.#rowsMax = rowsMax;
    this.#tableMax = tableMax;
  }

  /** How many rows of the step are not idle. */
  get live(): DeviceAddress {
    return this.#address;
  }

  get table(): DeviceAddress {
    return this.list("asked") + BigInt(WORD * this.#rowsMax);
  }

  /** A list from its row `first` on. */
  list(name: List, first = 0): DeviceAddress {
    return this.#address + BigInt(WORD * (this.#place(name) + first));
  }

  places(kind: KvKind): RowPlaces {
    return {
      starts: this.list(`${kind}Starts`),
      firsts: this.list(`${kind}Firsts`),
      slots: this.list(`${kind}Slots`),
    };
  }

  /**
   * Writes a step and enqueues its copy. `wanted` are the rows that the head computes, `asked` the id of each whose logit is asked for. Rows from the step's own up to
   * `rowCount` are idle: they see nothing and write nothing. Not to be called before the last step's copy is over.
   */
  send(rows: StepRows, rowCount: number, wanted: Int32Array, asked: Int32Array, stream: Stream): void {
    assert(rowCount <= this.#rowsMax && wanted.length <= this.#rowsMax, "a step has rows that fit");
    assert(rows.table.length <= this.#tableMax, "a step's table fits");
    this.#words[0] = rows.rowCount;
    this.#put("tokenIds", rows.tokenIds, rowCount, 0);
    this.#put("positions", rows.positions, rowCount, -1);
    this.#floats.set(rows.temperatures, this.#place("temperatures"));
    for (const kind of ["global", "local"] as const) {
      this.#put(`${kind}Starts`, rows[kind].starts, rowCount, 0);
      this.#put(`${kind}Firsts`, rows[kind].firsts, rowCount, 0);
      this.#put(`${kind}Slots`, rows[kind].slots, rowCount, -1);
    }
    this.#put("tiles", rows.tiles, rowCount, 0);
    this.#put("wanted", wanted, rowCount, 0);
    this.#put("asked", asked, rowCount, 0);
    const tableAt = HEAD_WORDS + LISTS.length * this.#rowsMax;
    this.#words.set(rows.table, tableAt);
    this.#device.copyFromHost(this.#address, this.#host, 0, WORD * (tableAt + rows.table.length), stream);
  }

  close(): void {
    this.#device.freeHost(this.#host);
  }

  /** A list's numbers, and for idle rows behind them `idle`. */
  #put(name: List, values: Int32Array, rowCount: number, idle: number): void {
    const place = this.#place(name);
    this.#words.set(values, place);
    this.#words.fill(idle, place + values.length, place + Math.max(values.length, rowCount));
  }

  #place(name: List): number {
    return HEAD_WORDS + LISTS.indexOf(name) * this.#rowsMax;
  }
}
