import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DroverError } from "@drover/core";
import type { BuiltGraph } from "../graphs/graph-builder.ts";
import { loadRuntime, type SessionOptions } from "../session.ts";

type Koffi = typeof import("koffi");

/** A pointer to one of ONNX Runtime's objects. */
export type Handle = bigint;

/** Where functions stand in the table of the C API, which only ever grows. Source: OrtApi in onnxruntime_c_api.h, and the order in onnxruntime_c_api.cc. */
const FUNCTIONS = {
  errorMessage: [2, "const char *", ["void *"]],
  createEnvironment: [3, "void *", ["int", "const char *", "void *"]],
  createSession: [8, "void *", ["void *", "void *", "size_t", "void *", "void *"]],
  run: [9, "void *", ["void *", "void *", "void *", "void *", "size_t", "void *", "size_t", "void *"]],
  createOptions: [10, "void *", ["void *"]],
  setSeverity: [22, "void *", ["void *", "int"]],
  setOptimization: [23, "void *", ["void *", "int"]],
  setThreads: [24, "void *", ["void *", "int"]],
  createTensor: [49, "void *", ["void *", "void *", "size_t", "void *", "size_t", "int", "void *"]],
  createMemory: [69, "void *", ["int", "int", "void *"]],
  releaseStatus: [93, "void", ["void *"]],
  releaseSession: [95, "void", ["void *"]],
  releaseValue: [96, "void", ["void *"]],
  releaseOptions: [100, "void", ["void *"]],
  setEntry: [130, "void *", ["void *", "const char *", "const char *"]],
} as const satisfies Record<string, readonly [number, string, readonly string[]]>;

type NativeFunction = (...args: readonly unknown[]) => unknown;
type Api = Readonly<Record<keyof typeof FUNCTIONS, NativeFunction>>;

/** The table that this version of the header has; later libraries keep it. */
const API_VERSION = 20;
const ORT_WARNING = 2;
const ORT_ERROR = 3;
const ORT_ENABLE_ALL = 99;
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;
const ELEMENT_TYPES = { f32: 1, i32: 6 } as const;

/**
 * ONNX Runtime's C API in the library that the package's binding has loaded, through koffi. Its inputs and outputs stay where they are: what the binding
 * copies out of every run is written in place, into memory that an input may have as well.
 */
export class NativeRuntime {
  readonly #api: Api;
  readonly #environment: Handle;
  readonly #memory: Handle;
  readonly #koffi: Koffi;

  private constructor(koffi: Koffi) {
    this.#koffi = koffi;
    this.#api = readApi(koffi);
    this.#environment = this.#made((out) => this.#api.createEnvironment(ORT_WARNING, "drover", out));
    this.#memory = this.#made((out) => this.#api.createMemory(DEVICE_ALLOCATOR, DEFAULT_MEMORY, out));
  }

  /**
   * Loaded once a thread; undefined where koffi is not installed, and on systems
   * other than Linux. Errors: `internal`, the library is not as it should be.
   */
  static async load(): Promise<NativeRuntime | undefined> {
    if (process.platform !== "linux") return undefined;
    const koffi = await loadKoffi();
    loaded ??= koffi && new NativeRuntime(koffi);
    return loaded;
  }

  /** A session of a graph that has all its weights in it or in files. Errors: `internal`, naming the graph. */
  createSession(name: string, { model }: BuiltGraph, { threads }: SessionOptions): Handle {
    const options = this.#made((out) => this.#api.createOptions(out));
    try {
      this.#check(this.#api.setSeverity(options, ORT_ERROR));
      this.#check(this.#api.setOptimization(options, ORT_ENABLE_ALL));
      this.#check(this.#api.setThreads(options, threads));
      this.#check(this.#api.setEntry(options, "session.intra_op.allow_spinning", "0"));
      this.#check(this.#api.setEntry(options, "session.model_external_initializers_file_folder_path", "/"));
      return this.#made((out) => this.#api.createSession(this.#environment, model, model.byteLength, options, out));
    } catch (error) {
      throw new DroverError("internal", `the graph ${name} could not be loaded`, { cause: error });
    } finally {
      this.#api.releaseOptions(options);
    }
  }

  releaseSession(session: Handle): void {
    this.#api.releaseSession(session);
  }

  /** A row-major tensor over `data`, whose memory must live and stay where it is as long as runs use the tensor: that of an ArrayBuffer does. */
  createTensor(data: Float32Array | Int32Array, dims: readonly number[]): Handle {
    const shape = BigInt64Array.from(dims, BigInt);
    const type = ELEMENT_TYPES[data instanceof Float32Array ? "f32" : "i32"];
    return this.#made((out) =>
      this.#api.createTensor(this.#memory, data, data.byteLength, shape, shape.length, type, out),
    );
  }

  releaseTensor(tensor: Handle): void {
    this.#api.releaseValue(tensor);
  }

  /** Names as the C API takes them; they are good as long as the result lives. */
  names(list: readonly string[]): NativeNames {
    const texts = list.map((name) => new Uint8Array(Buffer.from(`${name}\0`)).slice());
    const addresses = BigUint64Array.from(texts, (text) => this.#koffi.address(text));
    return { texts, addresses };
  }

  /** Runs a session on the calling thread. Every output is written where its tensor is. Errors: `internal`, with what ONNX Runtime says. */
  run(
    session: Handle,
    inputs: Readonly<{ names: NativeNames; tensors: BigUint64Array }>,
    outputs: Readonly<{ names: NativeNames; tensors: BigUint64Array }>,
  ): void {
    this.#check(
      this.#api.run(
        session,
        null,
        inputs.names.addresses,
        inputs.tensors,
        inputs.tensors.length,
        outputs.names.addresses,
        outputs.tensors.length,
        outputs.tensors,
      ),
    );
  }

  #made(make: (out: BigUint64Array) => unknown): Handle {
    const out = new BigUint64Array(1);
    this.#check(make(out));
    return out[0] ?? 0n;
  }

  /** Null is success. */
  #check(status: unknown): void {
    if (status === null || status === 0n) return;
    const message = String(this.#api.errorMessage(status));
    this.#api.releaseStatus(status);
    throw new DroverError("internal", `ONNX Runtime: ${message}`);
  }
}

let loaded: NativeRuntime | undefined;

/** Zero-terminated names and, one behind another, where they are. */
export type NativeNames = Readonly<{ texts: readonly Uint8Array[]; addresses: BigUint64Array }>;

async function loadKoffi(): Promise<Koffi | undefined> {
  try {
    return await import("koffi");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** The library that the package's binding has loaded, found beside it. */
function readApi(koffi: Koffi): Api {
  loadRuntime();
  const folder = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
  const library = koffi.load(join(folder, `bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime.so.1`));
  const base = library.func("OrtGetApiBase", "void *", [])() as bigint;
  const getApi = koffi.decode(base, "void *") as bigint;
  const table = koffi.call(getApi, koffi.proto("void *", ["uint32_t"]), API_VERSION) as bigint;
  const entries = Object.entries(FUNCTIONS).map(([name, [place, result, parameters]]) => {
    const address = koffi.decode(table, place * BYTES_PER_POINTER, "void *") as bigint;
    return [name, koffi.decode(address, koffi.proto(result, [...parameters])) as NativeFunction];
  });
  return Object.fromEntries(entries) as Api;
}

const BYTES_PER_POINTER = 8;
