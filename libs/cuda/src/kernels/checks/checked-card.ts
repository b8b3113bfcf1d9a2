import type { CudaDevice, DeviceAddress, Stream } from "../../driver/cuda-device.ts";
import type { Cuda } from "../../driver/open-cuda.ts";
import { Activations, type Precision } from "../activations.ts";
import { KernelLauncher } from "../kernel-launcher.ts";
import { KernelLibrary } from "../kernel-library.ts";
import type { KernelSizes } from "../kernel-sizes.ts";
import { LinearKernels } from "../linear-kernels.ts";
import { ModelKernels } from "../model-kernels.ts";
import { VisionKernels, type VisionSizes } from "../vision-kernels.ts";

/** A card on which kernels are compared with their references. What is not written reads as no number. */
export class CheckedCard {
  readonly device: CudaDevice;
  readonly stream: Stream;
  readonly #library: KernelLibrary;
  readonly #addresses: DeviceAddress[] = [];

  constructor(cuda: Cuda, cacheFolder: string | undefined) {
    this.device = cuda.device;
    this.stream = cuda.device.createStream();
    this.#library = new KernelLibrary(cuda, cacheFolder);
  }

  kernels(sizes: KernelSizes, precision: Precision): ModelKernels {
    return new ModelKernels(this.device, this.#library, sizes, precision, this.stream);
  }

  /** Those of a vision encoder. */
  vision(sizes: VisionSizes, precision: Precision): VisionKernels {
    return new VisionKernels(this.device, this.#library, sizes, precision, this.stream);
  }

  /** Products alone. */
  linears(precision: Precision): LinearKernels {
    return new LinearKernels(new KernelLauncher(this.device, this.#library, this.stream), precision);
  }

  /** Memory that holds nothing. */
  room(byteCount: number): DeviceAddress {
    const address = this.device.allocate(byteCount);
    this.#addresses.push(address);
    this.device.write(address, new Uint8Array(byteCount).fill(0xff));
    return address;
  }

  put(values: Float32Array | Int32Array | Uint16Array | BigUint64Array | Uint8Array): DeviceAddress {
    const address = this.room(values.byteLength);
    this.device.write(address, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return address;
  }

  /** Rows of these numbers as activations of a step of so many rows. */
  activations(
    values: Float32Array,
    width: number,
    precision: Precision,
    rowCount: number,
    expertCount = 0,
  ): DeviceAddress {
    const placeOf = this.#placeOf(precision, rowCount, expertCount);
    if (precision === "f32") return this.put(values);
    const stride = this.#activations(precision).stride(width);
    const halves = new Uint16Array((2 * stride * values.length) / width);
    for (const [i, value] of values.entries()) {
      const at = 2 * stride * Math.floor(i / width) + placeOf(i % width);
      halves[at] = toF16(value);
      halves[at + stride] = toF16(value - fromF16(halves[at] as number));
    }
    return this.put(halves);
  }

  floats(address: DeviceAddress, count: number): Float32Array {
    const values = new Float32Array(count);
    this.#read(address, values);
    return values;
  }

  ints(address: DeviceAddress, count: number): Int32Array {
    const values = new Int32Array(count);
    this.#read(address, values);
    return values;
  }

  bytes(address: DeviceAddress, count: number): Uint8Array {
    const values = new Uint8Array(count);
    this.#read(address, values);
    return values;
  }

  readActivations(
    address: DeviceAddress,
    rowCount: number,
    width: number,
    precision: Precision,
    stepRows = rowCount,
    expertCount = 0,
  ): Float32Array {
    const placeOf = this.#placeOf(precision, stepRows, expertCount);
    if (precision === "f32") return this.floats(address, rowCount * width);
    const stride = this.#activations(precision).stride(width);
    const halves = new Uint16Array(2 * stride * rowCount);
    this.#read(address, halves);
    return Float32Array.from({ length: rowCount * width }, (_, i) => {
      const at = 2 * stride * Math.floor(i / width) + placeOf(i % width);
      return fromF16(halves[at] as number) + fromF16(halves[at + stride] as number);
    });
  }

  /** Numbers that lie as the sums of two f16, of each eight the first terms and then the second ones. */
  splitNumbers(address: DeviceAddress, count: number): Float32Array {
    const halves = new Uint16Array(2 * count);
    this.#read(address, halves);
    return Float32Array.from({ length: count }, (_, i) => {
      const at = 16 * Math.floor(i / 8) + (i % 8);
      return fromF16(halves[at] as number) + fromF16(halves[at + 8] as number);
    });
  }

  close(): void {
    this.device.synchronize(this.stream);
    for (const address of this.#addresses) this.device.free(address);
    this.#library.close();
    this.device.destroyStream(this.stream);
  }

  #activations(precision: Precision): Activations {
    return new Activations(precision, this.device.facts.architecture);
  }

  /** Where a row of f16 of a step has its number i: prelude.cuh's orders. */
  #placeOf(precision: Precision, rowCount: number, expertCount: number): (i: number) => number {
    return this.#activations(precision).isGrouped(rowCount, expertCount)
      ? (i) => (i & ~15) | (((i >> 1) & 1) << 3) | (((i >> 2) & 3) << 1) | (i & 1)
      : (i) => (i & ~63) | (((i >> 2) & 3) << 4) | (((i >> 4) & 3) << 2) | (i & 3);
  }

  #read(address: DeviceAddress, values: Float32Array | Int32Array | Uint16Array | Uint8Array): void {
    this.device.synchronize(this.stream);
    this.device.read(address, new Uint8Array(values.buffer));
  }
}

/** The upper halves, rounded to the nearest, ties to even. */
export function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

/** IEEE 754 binary16, rounded to the nearest, ties to even. */
function toF16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const unit = 2 ** (exponent - 10);
  const whole = Math.floor(size / unit);
  const rest = size / unit - whole;
  const rounded = whole + (rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? 1 : 0);
  return sign | (((exponent + 14) << 10) + rounded);
}

function fromF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** |a - b| / |b| as vectors; infinite where a number is missing. */
export function relativeError(found: Float32Array, expected: Float32Array | Float64Array): number {
  let difference = 0;
  let size = 0;
  for (const [i, value] of expected.entries()) {
    difference += ((found[i] as number) - value) ** 2;
    size += value ** 2;
  }
  const error = Math.sqrt(difference / size);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
}
