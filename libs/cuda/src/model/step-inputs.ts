import { assert, at } from "@drover/core";
import type { KvKind } from "@drover/kv";
import type { CudaDevice, DeviceAddress, HostMemory, Stream } from "../driver/cuda-device.ts";
import type { RowPlaces } from "../kernels/kernel-sizes.ts";
import { FOLLOWING_TABLE_MAX, TABLE_WORDS_MAX } from "../limits.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { PageLayout } from "../memory/page-layout.ts";
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
  "from",
] as const;
type List = (typeof LISTS)[number];

/** Words before the lists: the number of rows that are routed. */
const HEAD_WORDS = 64;
const NONE = new Int32Array(0);

/** What a step is written into before it is copied. */
type Written = Readonly<{ memory: HostMemory; words: Int32Array; floats: Float32Array; tableMax: number }>;

/** Lists of a step beside its rows' own. */
type SentLists = Readonly<{ wanted: Int32Array; asked: Int32Array; from?: Int32Array | undefined }>;

/**
 * What a step is told, in pinned memory and on the card: one copy brings it there. Addresses stay, so that a graph that was recorded once finds each step's
 * numbers; the table is the last, and only as much of it is copied as there is.
 */
export class StepInputs {
  readonly #device: CudaDevice;
  /** Of a step that nothing is computed before, and of one that is enqueued behind another. */
  readonly #hosts: readonly [Written, Written];
  readonly #address: DeviceAddress;
  readonly #rowsMax: number;
  /** Which of them the last step was written into. */
  #last = 0;

  constructor(device: CudaDevice, memory: DeviceMemory, rowsMax: number, tableMax: number) {
    const byteCount = (words: number) => WORD * (HEAD_WORDS + LISTS.length * rowsMax + words);
    this.#device = device;
    const written = (words: number): Written => {
      const host = device.allocateHost(byteCount(words));
      const { buffer, byteOffset, byteLength } = host.bytes;
      const own = [buffer, byteOffset, byteLength / WORD] as const;
      return { memory: host, words: new Int32Array(...own), floats: new Float32Array(...own), tableMax: words };
    };
    this.#hosts = [written(tableMax), written(Math.min(tableMax, FOLLOWING_TABLE_MAX))];
    this.#address = memory.allocate("exchange", byteCount(tableMax));
    this.#rowsMax = rowsMax;
  }

  /** Whether a step's table may be sent while the step before it is computed. */
  canFollow({ table }: Pick<StepRows, "table">): boolean {
    return table.length <= at(this.#hosts, 1 - this.#last).tableMax;
  }

  /** How many rows of the step are not idle. */
  get live(): DeviceAddress {
    return this.#address;
  }

  get table(): DeviceAddress {
    return this.list("from") + BigInt(WORD * this.#rowsMax);
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
   * Writes a step and enqueues its copy. `wanted` are the rows that the head computes, `asked` the id of each whose logit is asked for, `from`, of a step that is enqueued behind another, where its rows find
   * their tokens. Rows from the step's own up to `rowCount` are idle: they see nothing and write nothing. Not to be called before the last step is over, or, with `from`, the one before the last.
   */
  send(rows: StepRows, rowCount: number, { wanted, asked, from }: SentLists, stream: Stream): void {
    assert(rowCount <= this.#rowsMax && wanted.length <= this.#rowsMax, "a step has rows that fit");
    this.#last = from === undefined ? 0 : 1 - this.#last;
    const host = at(this.#hosts, this.#last);
    assert(rows.table.length <= host.tableMax, "a step's table fits");
    const put = (name: List, values: Int32Array, idle: number) => this.#put(host.words, name, values, rowCount, idle);
    host.words[0] = rows.rowCount;
    put("tokenIds", rows.tokenIds, 0);
    put("positions", rows.positions, -1);
    host.floats.set(rows.temperatures, this.#place("temperatures"));
    for (const kind of ["global", "local"] as const) {
      put(`${kind}Starts`, rows[kind].starts, 0);
      put(`${kind}Firsts`, rows[kind].firsts, 0);
      put(`${kind}Slots`, rows[kind].slots, -1);
    }
    put("tiles", rows.tiles, 0);
    put("wanted", wanted, 0);
    put("asked", asked, 0);
    put("from", from ?? NONE, 0);
    const tableAt = HEAD_WORDS + LISTS.length * this.#rowsMax;
    host.words.set(rows.table, tableAt);
    this.#device.copyFromHost(this.#address, host.memory, 0, WORD * (tableAt + rows.table.length), stream);
  }

  close(): void {
    for (const { memory } of this.#hosts) this.#device.freeHost(memory);
  }

  /** A list's numbers, and for idle rows behind them `idle`. */
  #put(words: Int32Array, name: List, values: Int32Array, rowCount: number, idle: number): void {
    const place = this.#place(name);
    words.set(values, place);
    words.fill(idle, place + values.length, place + Math.max(values.length, rowCount));
  }

  #place(name: List): number {
    return HEAD_WORDS + LISTS.indexOf(name) * this.#rowsMax;
  }
}

/** Pages that the sequences of a step can have at most, in both kinds of layers, where each has a row. */
export function tableWords({ slabCount, slabUnits }: PageLayout, rowsMax: number): number {
  return Math.min(TABLE_WORDS_MAX, slabCount * slabUnits * rowsMax);
}
