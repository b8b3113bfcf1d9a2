import { createRequire } from "node:module";
import { isMainThread } from "node:worker_threads";
import { DroverError } from "@drover/core";
import type { BuiltGraph } from "./graphs/graph-builder.ts";
import "./telemetry-off.ts";

/** A tensor as the native binding reads and returns it. Inputs are not copied (views are fine); outputs always are. */
export type TensorData = Readonly<{
  type: "float32" | "int64" | "int32" | "uint8" | "int8";
  data: Float32Array | BigInt64Array | Int32Array | Uint8Array | Int8Array;
  dims: readonly number[];
  location: "cpu";
}>;

export type Feeds = Record<string, TensorData>;
export type Fetches = Readonly<Record<string, TensorData>>;

type NativeSession = {
  loadModel(buffer: ArrayBufferLike, offset: number, length: number, options: object): void;
  run(feeds: Feeds, fetches: Readonly<Record<string, null>>, options: object): Fetches;
  dispose(): void;
};
type NativeBinding = {
  binding: {
    InferenceSession: new () => NativeSession;
    initOrtOnce(logLevel: number, tensorClass: typeof OutputTensor, isMainThread: boolean): void;
  };
};

const PACKAGE = "onnxruntime-node/dist/binding.js";
const RUN_OPTIONS = {};
const ORT_WARNING = 2;
let loaded: NativeBinding["binding"] | undefined;
let isInitialized = false;

/**
 * Loads ONNX Runtime where it is not yet: who computes on a card alone never does, and it may be absent there. The package's public `run` waits for a setImmediate and then blocks in the same native call; a step makes some thirty of them, so the
 * binding is called directly. Source: onnxruntime-node 1.30, dist/binding.js and dist/backend.js (the version is pinned).
 */
export function loadRuntime(): NativeBinding["binding"] {
  loaded ??= (createRequire(import.meta.url)(PACKAGE) as NativeBinding).binding;
  return loaded;
}

/** What the binding makes of each output. The package's own class checks every one of them again, which takes longer than a small operator. */
class OutputTensor {
  readonly type: TensorData["type"];
  readonly data: TensorData["data"];
  readonly dims: readonly number[];
  readonly location = "cpu";

  constructor(type: TensorData["type"], data: TensorData["data"], dims: readonly number[]) {
    this.type = type;
    this.data = data;
    this.dims = dims;
  }
}

/** Once a thread, before its first session. */
function initialize(): NativeBinding["binding"] {
  const binding = loadRuntime();
  if (isInitialized) return binding;
  isInitialized = true;
  binding.initOrtOnce(ORT_WARNING, OutputTensor, isMainThread);
  return binding;
}

export type SessionOptions = Readonly<{ threads: number }>;

/** Where a session writes its optimized graph, and beside it its weights as its kernels have packed them. */
export type SaveOptions = Readonly<{ modelPath: string; weightsName: string }>;

/** One compiled graph. Runs are synchronous and take place on the calling thread. */
export class Session implements Disposable {
  readonly #session: NativeSession;
  readonly #fetches: Readonly<Record<string, null>>;

  /** Errors: `internal`, naming the graph, when ONNX Runtime refuses it. */
  constructor(
    name: string,
    graph: BuiltGraph,
    outputs: readonly string[],
    options: SessionOptions & Readonly<{ save?: SaveOptions }>,
  ) {
    const { InferenceSession } = initialize();
    this.#session = new InferenceSession();
    this.#fetches = Object.fromEntries(outputs.map((output) => [output, null]));
    const { buffer, byteOffset, byteLength } = graph.model;
    try {
      this.#session.loadModel(buffer, byteOffset, byteLength, {
        intraOpNumThreads: options.threads,
        interOpNumThreads: 1,
        executionMode: "sequential",
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        externalData: graph.weights,
        extra: {
          session: {
            intra_op: { allow_spinning: "0" },
            // Mapped weights are named from the root, and never through links: those that leave the model's folder are refused.
            model_external_initializers_file_folder_path: "/",
            ...(options.save && {
              optimized_model_external_initializers_file_name: options.save.weightsName,
              optimized_model_external_initializers_min_size_in_bytes: "0",
              save_external_prepacked_constant_initializers: "1",
            }),
          },
        },
        ...(options.save && { optimizedModelFilePath: options.save.modelPath }),
      });
    } catch (error) {
      throw new DroverError("internal", `the graph ${name} could not be loaded`, { cause: error });
    }
  }

  run(feeds: Feeds): Fetches {
    return this.#session.run(feeds, this.#fetches, RUN_OPTIONS);
  }

  /** Runs a graph whose only output is `out`, and returns that. */
  runFlat(feeds: Feeds): Float32Array {
    return f32Of(this.run(feeds), "out");
  }

  [Symbol.dispose](): void {
    this.#session.dispose();
  }
}

/** A row-major f32 tensor over the given view. */
export function f32(data: Float32Array, dims: readonly number[]): TensorData {
  return { type: "float32", data, dims, location: "cpu" };
}

/** A byte tensor over the given view. */
export function u8(data: Uint8Array, dims: readonly number[]): TensorData {
  return { type: "uint8", data, dims, location: "cpu" };
}

/** A tensor of signed bytes over the given view. */
export function i8(data: Int8Array, dims: readonly number[]): TensorData {
  return { type: "int8", data, dims, location: "cpu" };
}

/** A 64-bit integer tensor. */
export function i64(data: BigInt64Array, dims: readonly number[]): TensorData {
  return { type: "int64", data, dims, location: "cpu" };
}

/** Reads an f32 output. Bug if the graph has no such output. */
export function f32Of(fetches: Fetches, name: string): Float32Array {
  const data = fetches[name]?.data;
  if (!(data instanceof Float32Array)) throw new DroverError("internal", `output ${name} is not f32`);
  return data;
}
