import { at, DroverError } from "@drover/core";
import type { KernelCompiler } from "./cuda-device.ts";
import { SUCCESS } from "./device-fault.ts";
import type { NativeFunction, NativeLibrary, NativeValue } from "./native-library.ts";

/** NVIDIA's compiler of CUDA C++ at run time. It needs no card. */
export class Nvrtc implements KernelCompiler {
  readonly version: string;
  readonly #library: NativeLibrary;
  readonly #create: NativeFunction;
  readonly #destroy: NativeFunction;
  readonly #compile: NativeFunction;
  readonly #logSize: NativeFunction;
  readonly #log: NativeFunction;
  readonly #codeSize: NativeFunction;
  readonly #code: NativeFunction;

  constructor(library: NativeLibrary) {
    this.#library = library;
    this.#create = library.bind("nvrtcCreateProgram", ["void *", "str", "str", "int", "void *", "void *"]);
    this.#destroy = library.bind("nvrtcDestroyProgram", ["void *"]);
    this.#compile = library.bind("nvrtcCompileProgram", ["void *", "int", "void *"]);
    this.#logSize = library.bind("nvrtcGetProgramLogSize", ["void *", "void *"]);
    this.#log = library.bind("nvrtcGetProgramLog", ["void *", "void *"]);
    this.#codeSize = library.bind("nvrtcGetCUBINSize", ["void *", "void *"]);
    this.#code = library.bind("nvrtcGetCUBIN", ["void *", "void *"]);
    const version = new Int32Array(2);
    const ask = library.bind("nvrtcVersion", ["void *", "void *"]);
    checked("nvrtcVersion", ask(version.subarray(0, 1), version.subarray(1)));
    this.version = version.join(".");
  }

  compile(source: string, options: readonly string[]): Uint8Array {
    const program = new BigUint64Array(1);
    checked("nvrtcCreateProgram", this.#create(program, source, "kernel.cu", 0, null, null));
    try {
      const texts = options.map((option) => new TextEncoder().encode(`${option}\0`));
      const addresses = BigUint64Array.from(texts, (text) => this.#library.addressOf(text));
      const result = this.#compile(at(program, 0), texts.length, addresses);
      if (result !== SUCCESS) {
        const log = this.#bytes(at(program, 0), this.#logSize, this.#log);
        throw new DroverError("internal", `NVRTC: ${new TextDecoder().decode(log).replace(/\0.*$/s, "").trim()}`);
      }
      return this.#bytes(at(program, 0), this.#codeSize, this.#code);
    } finally {
      this.#destroy(program);
    }
  }

  #bytes(program: NativeValue, size: NativeFunction, read: NativeFunction): Uint8Array {
    const byteCount = new BigUint64Array(1);
    checked("NVRTC", size(program, byteCount));
    const bytes = new Uint8Array(Number(byteCount[0]));
    checked("NVRTC", read(program, bytes));
    return bytes;
  }
}

function checked(call: string, result: number): void {
  if (result !== SUCCESS) throw new DroverError("internal", `NVRTC: ${call} failed (${result})`);
}
