import type { CudaDevice, DeviceAddress, Stream } from "../../driver/cuda-device.ts";
import type { Cuda } from "../../driver/open-cuda.ts";
import { KernelLauncher } from "../kernel-launcher.ts";
import { KernelLibrary } from "../kernel-library.ts";
import { LinearKernels, type Precision } from "../linear-kernels.ts";
import { type KernelSizes, ModelKernels } from "../model-kernels.ts";

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

  /** Activations of these numbers, which have to be exact in the precision. */
  activations(values: Float32Array, precision: Precision): DeviceAddress {
    if (precision === "f32") return this.put(values);
    return this.put(precision === "bf16" ? toBf16(values) : Uint16Array.from(values, toF16));
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

  readActivations(address: DeviceAddress, count: number, precision: Precision): Float32Array {
    if (precision === "f32") return this.floats(address, count);
    const halves = new Uint16Array(count);
    this.#read(address, halves);
    return precision === "bf16" ? fromBf16(halves) : Float32Array.from(halves, fromF16);
  }

  close(): void {
    this.device.synchronize(this.stream);
    for (const address of this.#addresses) this.device.free(address);
    this.#library.close();
    this.device.destroyStream(this.stream);
  }

  #read(address: DeviceAddress, values: Float32Array | Int32Array | Uint16Array): void {
    this.device.synchronize(this.stream);
    this.device.read(address, new Uint8Array(values.buffer));
  }
}

/** The upper halves, rounded to the nearest, ties to even. */
export function toBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
}

function fromBf16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/** IEEE 754 binary16 of a number that it holds exactly, but for its sign's zero. */
function toF16(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(value))));
  const fraction = Math.abs(value) / 2 ** exponent;
  const bits = fraction < 1 ? Math.round(fraction * 1024) : ((exponent + 15) << 10) + Math.round((fraction - 1) * 1024);
  return bits | (value < 0 ? 0x8000 : 0);
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
