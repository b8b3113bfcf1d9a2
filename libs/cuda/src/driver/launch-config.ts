import type { Extent3, Stream } from "./cuda-device.ts";

/** Sizes of cuda.h's CUlaunchConfig and CUlaunchAttribute, and where their parts are. */
const CONFIG = { byteCount: 56, stream: 32, attributes: 40, attributeCount: 48 } as const;
const ATTRIBUTE = { byteCount: 72, value: 8 } as const;
/** A kernel may begin while the one before it ends, and waits for it by itself. */
const PROGRAMMATIC_SERIALIZATION = 6;
/** The first architecture whose kernels can. */
const ARCHITECTURE_MIN = 90;

/** How a kernel is launched, as the driver reads it. */
export class LaunchConfig {
  /** Hand this over. It has to live while the driver reads it: to the end of the launching call. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #attribute: Uint8Array<ArrayBuffer>;

  /** `architecture`: the card's, such as 90. */
  constructor(architecture: number, addressOf: (array: ArrayBufferView) => bigint) {
    this.bytes = new Uint8Array(CONFIG.byteCount);
    this.#view = new DataView(this.bytes.buffer);
    this.#attribute = new Uint8Array(ATTRIBUTE.byteCount);
    const attribute = new DataView(this.#attribute.buffer);
    attribute.setUint32(0, PROGRAMMATIC_SERIALIZATION, true);
    attribute.setUint32(ATTRIBUTE.value, 1, true);
    this.#view.setBigUint64(CONFIG.attributes, addressOf(this.#attribute), true);
    this.#view.setUint32(CONFIG.attributeCount, architecture >= ARCHITECTURE_MIN ? 1 : 0, true);
  }

  set(grid: Extent3, block: Extent3, sharedBytes: number, stream: Stream): void {
    for (const [i, size] of [...grid, ...block, sharedBytes].entries()) this.#view.setUint32(4 * i, size, true);
    this.#view.setBigUint64(CONFIG.stream, stream, true);
  }
}
