import { assert } from "@drover/core";
import { bf16ToF32, toF32, type WeightDtype } from "../files/dtype.ts";

/** The input embedding, kept in the checkpoint's own type; rows are converted as they are looked up. */
export class Embedding {
  readonly width: number;
  readonly rowCount: number;
  readonly #bytes: Uint8Array;
  readonly #dtype: WeightDtype;
  readonly #rowBytes: number;

  /** `bytes` is [rows, width] row-major in `dtype`; it is kept, not copied. */
  constructor(bytes: Uint8Array, dtype: WeightDtype, rowCount: number, width: number) {
    assert(bytes.byteLength % rowCount === 0, "a table has whole rows");
    this.width = width;
    this.rowCount = rowCount;
    this.#bytes = bytes;
    this.#dtype = dtype;
    this.#rowBytes = bytes.byteLength / rowCount;
  }

  /** Writes the ids' rows into out_aD [a, D] from row `firstRow` on. Bug if an id is not in the vocabulary. */
  gather(tokenIds: Int32Array, out_aD: Float32Array, firstRow: number): void {
    const { width } = this;
    for (const [i, id] of tokenIds.entries()) {
      assert(id >= 0 && id < this.rowCount, "a token id is in the vocabulary");
      const target = out_aD.subarray((firstRow + i) * width, (firstRow + i + 1) * width);
      const start = this.#bytes.byteOffset + id * this.#rowBytes;
      if (this.#dtype === "BF16" && start % 2 === 0)
        bf16ToF32(new Uint16Array(this.#bytes.buffer, start, width), target);
      else target.set(toF32(this.#bytes.subarray(id * this.#rowBytes, (id + 1) * this.#rowBytes), this.#dtype));
    }
  }
}
