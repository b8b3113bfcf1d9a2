import type { StoredLines } from "@drover/checkpoint";
import type { DeviceAddress } from "../driver/cuda-device.ts";
import type { SourceKernels, SourceRows } from "../kernels/source-kernels.ts";
import type { DeviceMemory } from "../memory/device-memory.ts";
import type { PinnedStream } from "./pinned-stream.ts";
import type { PreparedRows } from "./prepared-rows.ts";
import { matrixBytes } from "./weight-format.ts";

const ALIGNMENT = 256;

/** Rows [first, first + rowCount) of a matrix [out, in]. */
export type RowPart = Readonly<{ first: number; rowCount: number; outSize: number; inSize: number }>;

/** Where rows are that were prepared, and their scales: until the next are staged. */
type Staged = Readonly<{ source: DeviceAddress; sourceScales: DeviceAddress }>;

/** A room on the card in which stored rows become what they are brought into tiles from. All that is done there is done in one stream's order, so one room is enough. */
export class StagedRows {
  readonly #memory: DeviceMemory;
  readonly #kernels: SourceKernels;
  readonly #pinned: PinnedStream;
  #room: Readonly<{ address: DeviceAddress; byteCount: number }> | undefined;

  constructor(memory: DeviceMemory, kernels: SourceKernels, pinned: PinnedStream) {
    this.#memory = memory;
    this.#kernels = kernels;
    this.#pinned = pinned;
  }

  /** Has rows read and prepared; `scales` are the whole matrix's. Errors: those of the pinned stream; `overloaded` where the card is full. */
  async prepare(lines: StoredLines, how: PreparedRows, scales: Float32Array, part: RowPart): Promise<Staged> {
    const { first, rowCount, outSize, inSize } = part;
    const { form, isTransposed, lineBytes, groupSize } = lines;
    const lineCount = isTransposed ? lines.lineCount : rowCount;
    const rowBytes = (lineBytes * lines.lineCount) / outSize;
    const made = matrixBytes(how.format, rowCount, inSize);
    const isMade = how.by === "floats" || how.by === "quantize";
    const each = scales.length / outSize;
    const own = scales.subarray(first * each, (first + rowCount) * each);
    const [read, turned, storedScales, packed, madeScales] = await this.#places([
      lineCount * lineBytes,
      isTransposed ? rowCount * rowBytes : 0,
      own.byteLength,
      isMade ? made.weightBytes : 0,
      isMade ? 4 * made.scaleCount : 0,
    ]);
    await this.#pinned.lines(read, lineBytes, lineCount, (line, bytes) =>
      lines.fill((isTransposed ? 0 : first) + line, bytes),
    );
    if (own.byteLength > 0)
      await this.#pinned.bytes(storedScales, new Uint8Array(own.buffer, own.byteOffset, own.byteLength));
    const source = isTransposed ? turned : read;
    const rows: SourceRows = { form, source, scales: storedScales, groupSize, rowCount, inSize, lineBytes: rowBytes };
    this.#pinned.run(() => {
      if (isTransposed) this.#kernels.turn(read, turned, lineCount, outSize, lineBytes / outSize);
      if (how.by === "centre") this.#kernels.centre(source, rowCount * rowBytes);
      if (how.by === "floats") this.#kernels.floats(rows, packed);
      if (how.by === "quantize" && how.format.kind === "blocks")
        this.#kernels.quantize(rows, how.format, { packed, scales: madeScales });
    });
    return isMade ? { source: packed, sourceScales: madeScales } : { source, sourceScales: storedScales };
  }

  close(): void {
    if (this.#room !== undefined) this.#memory.free(this.#room.address);
    this.#room = undefined;
  }

  /** Places of so many bytes in the room, which is made larger where they do not fit. */
  async #places(byteCounts: readonly [number, number, number, number, number]) {
    const starts: number[] = [];
    let end = 0;
    for (const byteCount of byteCounts) {
      starts.push(end);
      end += Math.ceil(byteCount / ALIGNMENT) * ALIGNMENT;
    }
    if (this.#room === undefined || this.#room.byteCount < end) {
      await this.#pinned.drain();
      this.close();
      this.#room = { address: this.#memory.allocate("weights", end), byteCount: end };
    }
    const { address } = this.#room;
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = starts;
    return [a, b, c, d, e].map((start) => address + BigInt(start)) as [bigint, bigint, bigint, bigint, bigint];
  }
}
