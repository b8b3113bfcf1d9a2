import { deviceFault, NOT_READY, SUCCESS } from "./device-fault.ts";
import type { NativeFunction, NativeLibrary, NativeType, NativeValue } from "./native-library.ts";

/** The functions of CUDA's driver that are used, with what they take. Source: cuda.h of CUDA 13; the suffixes are those of its macros. */
const SIGNATURES = {
  cuInit: ["uint32_t"],
  cuDriverGetVersion: ["void *"],
  cuDeviceGetCount: ["void *"],
  cuDeviceGet: ["void *", "int"],
  cuDeviceGetName: ["void *", "int", "int"],
  cuDeviceGetUuid_v2: ["void *", "int"],
  cuDeviceTotalMem_v2: ["void *", "int"],
  cuDeviceGetAttribute: ["void *", "int", "int"],
  cuDeviceCanAccessPeer: ["void *", "int", "int"],
  cuDevicePrimaryCtxRetain: ["void *", "int"],
  cuDevicePrimaryCtxRelease_v2: ["int"],
  cuCtxSetCurrent: ["void *"],
  cuMemGetInfo_v2: ["void *", "void *"],
  cuMemAlloc_v2: ["void *", "size_t"],
  cuMemFree_v2: ["uint64_t"],
  cuMemHostAlloc: ["void *", "size_t", "uint32_t"],
  cuMemFreeHost: ["void *"],
  cuMemHostRegister_v2: ["uint64_t", "size_t", "uint32_t"],
  cuMemHostUnregister: ["uint64_t"],
  cuMemHostGetDevicePointer_v2: ["void *", "uint64_t", "uint32_t"],
  cuMemcpyHtoD_v2: ["uint64_t", "void *", "size_t"],
  cuMemcpyDtoH_v2: ["void *", "uint64_t", "size_t"],
  cuMemcpyHtoDAsync_v2: ["uint64_t", "void *", "size_t", "void *"],
  cuMemcpyDtoHAsync_v2: ["void *", "uint64_t", "size_t", "void *"],
  cuMemcpyDtoDAsync_v2: ["uint64_t", "uint64_t", "size_t", "void *"],
  cuMemsetD8Async: ["uint64_t", "uint8_t", "size_t", "void *"],
  cuStreamCreateWithPriority: ["void *", "uint32_t", "int"],
  cuStreamDestroy_v2: ["void *"],
  cuStreamSynchronize: ["void *"],
  cuStreamBeginCapture_v2: ["void *", "int"],
  cuStreamEndCapture: ["void *", "void *"],
  cuEventCreate: ["void *", "uint32_t"],
  cuEventDestroy_v2: ["void *"],
  cuEventRecord: ["void *", "void *"],
  cuEventQuery: ["void *"],
  cuEventElapsedTime: ["void *", "void *", "void *"],
  cuGraphInstantiateWithFlags: ["void *", "void *", "uint64_t"],
  cuGraphDestroy: ["void *"],
  cuGraphLaunch: ["void *", "void *"],
  cuGraphExecDestroy: ["void *"],
  cuModuleLoadData: ["void *", "void *"],
  cuModuleUnload: ["void *"],
  cuModuleGetFunction: ["void *", "void *", "str"],
  cuFuncSetAttribute: ["void *", "int", "int"],
  cuLaunchKernelEx: ["void *", "void *", "void *", "void *"],
} as const satisfies Readonly<Record<string, readonly NativeType[]>>;

export type DriverCall = keyof typeof SIGNATURES;

/** CUDA's driver, function by function; every result is looked at. */
export class DriverCalls {
  readonly library: NativeLibrary;
  readonly #functions: Readonly<Record<DriverCall, NativeFunction>>;
  readonly #errorName: NativeFunction;
  readonly #errorText: NativeFunction;
  readonly #word = new BigUint64Array(1);

  /** Errors: `unavailable` where the driver is older than what is used of it. */
  constructor(library: NativeLibrary) {
    this.library = library;
    this.#functions = Object.fromEntries(
      Object.entries(SIGNATURES).map(([name, types]) => [name, library.bind(name, types)]),
    ) as Record<DriverCall, NativeFunction>;
    this.#errorName = library.bind("cuGetErrorName", ["int", "void *"]);
    this.#errorText = library.bind("cuGetErrorString", ["int", "void *"]);
  }

  /** Errors: what the result says, see `deviceFault`. */
  call(name: DriverCall, ...values: readonly NativeValue[]): void {
    const result = this.#functions[name](...values);
    if (result !== SUCCESS) throw deviceFault(name, result, this.#words(result));
  }

  /** Whether what is asked about is over. Errors: as of {@link call}. */
  isOver(name: "cuEventQuery", ...values: readonly NativeValue[]): boolean {
    const result = this.#functions[name](...values);
    if (result === NOT_READY) return false;
    if (result !== SUCCESS) throw deviceFault(name, result, this.#words(result));
    return true;
  }

  /** What a call writes to its first argument, an address or a number of 64 bits. */
  made(name: DriverCall, ...values: readonly NativeValue[]): bigint {
    const out = new BigUint64Array(1);
    this.call(name, out, ...values);
    return out[0] ?? 0n;
  }

  /** The same of 32 bits. */
  number(name: DriverCall, ...values: readonly NativeValue[]): number {
    const out = new Int32Array(1);
    this.call(name, out, ...values);
    return out[0] ?? 0;
  }

  #words(result: number): string {
    const texts = [this.#errorName, this.#errorText].flatMap((ask) => {
      const found = ask(result, this.#word) === SUCCESS ? (this.#word[0] ?? 0n) : 0n;
      return found === 0n ? [] : [this.library.text(found)];
    });
    return texts.length === 0 ? "an error without a name" : texts.join(", ");
  }
}
