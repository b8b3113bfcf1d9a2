import { at } from "@drover/core";
import type { KernelArgument } from "./cuda-device.ts";

/** Bytes of an argument's place: more than most need, so that each is aligned. */
const PLACE_BYTES = 8;

/** A kernel's arguments as the driver reads them: values in places of eight bytes, and the list of the places' addresses. */
export class LaunchArguments {
  readonly values: ArrayBuffer;
  readonly #view: DataView<ArrayBuffer>;
  /** Hand this over. Both arrays have to live while the driver reads them: to the end of the launching call. */
  readonly addresses: BigUint64Array<ArrayBuffer>;

  constructor(countMax: number, addressOf: (array: ArrayBufferView) => bigint) {
    const values = new Uint8Array(countMax * PLACE_BYTES);
    this.values = values.buffer;
    this.#view = new DataView(this.values);
    const base = addressOf(values);
    this.addresses = BigUint64Array.from({ length: countMax }, (_, i) => base + BigInt(i * PLACE_BYTES));
  }

  /** Bug for more arguments than there are places. */
  set(args: readonly KernelArgument[]): void {
    for (const [i, argument] of args.entries()) {
      const place = at(this.addresses, i) - at(this.addresses, 0);
      if (typeof argument === "bigint") this.#view.setBigUint64(Number(place), argument, true);
      else if ("i32" in argument) this.#view.setInt32(Number(place), argument.i32, true);
      else this.#view.setFloat32(Number(place), argument.f32, true);
    }
  }
}
