import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Kernel, Module } from "../driver/cuda-device.ts";
import type { Cuda } from "../driver/open-cuda.ts";
import { HOPPER } from "./activations.ts";
import { CodeCache } from "./code-cache.ts";

/** Files of this folder, without `.cu`, and which of its other files they begin with. */
const FILES = {
  admit: ["prelude", "link"],
  attention: ["prelude", "kv", "terms"],
  bend: ["prelude"],
  centre: ["prelude"],
  choose: ["prelude", "route"],
  draw: ["prelude"],
  embed: ["prelude"],
  few_rows: ["prelude", "mma", "tensor"],
  group_rows: ["prelude", "mma", "tensor", "group", "group_rows"],
  floats: ["prelude", "source"],
  fold: ["prelude"],
  follow: ["prelude"],
  give: ["prelude"],
  layer_norm: ["prelude"],
  linear: ["prelude"],
  link: ["prelude", "link"],
  many_rows: ["prelude", "mma", "tensor"],
  norm: ["prelude"],
  pack: ["prelude", "tensor"],
  patches: ["prelude"],
  prompt_attention: ["prelude", "kv", "group", "terms"],
  quantize: ["prelude", "source"],
  rank: ["prelude"],
  rotate: ["prelude", "kv"],
  route: ["prelude", "route"],
  router: ["prelude"],
  split_attention: ["prelude", "mma", "terms"],
  swiglu: ["prelude"],
  take: ["prelude"],
  tile_attention: ["prelude"],
  tile_rows: ["prelude"],
  turn: ["prelude"],
  turn_heads: ["prelude", "terms"],
} as const;
export type KernelFile = keyof typeof FILES;

/** What a kernel's file leaves open, such as sizes and types: macros of its source. */
export type KernelMacros = Readonly<Record<string, string | number>>;

/** The kernels of this folder, compiled for one card when they are first asked for, with a model's sizes in them. */
export class KernelLibrary {
  readonly #cuda: Cuda;
  readonly #cache: CodeCache;
  readonly #modules = new Map<string, Module>();

  /** `cacheFolder`: where machine code is kept from one start to the next. */
  constructor(cuda: Cuda, cacheFolder: string | undefined) {
    this.#cuda = cuda;
    this.#cache = new CodeCache(cuda.compiler, cacheFolder);
  }

  /** A function of a file. Errors: the compiler's. */
  kernel(file: KernelFile, name: string, macros: KernelMacros): Kernel {
    const { device } = this.#cuda;
    const { architecture } = device.facts;
    const options = [
      // Hopper's products of four warps are its own, and its successors have none: "a" is code for it alone.
      `--gpu-architecture=sm_${architecture}${architecture === HOPPER ? "a" : ""}`,
      "--std=c++17",
      ...Object.entries(macros).map(([macro, value]) => `-D${macro}=${value}`),
    ];
    const key = [file, ...options].join(" ");
    const module = this.#modules.get(key) ?? device.loadModule(this.#cache.code(sourceOf(file), options));
    this.#modules.set(key, module);
    return device.kernel(module, name);
  }

  /** Unloads everything: no kernel of it is used after this. */
  close(): void {
    for (const module of this.#modules.values()) this.#cuda.device.unloadModule(module);
    this.#modules.clear();
  }
}

/** A file's source with what it begins with. */
function sourceOf(file: KernelFile): string {
  const names = [...FILES[file].map((name) => `${name}.cuh`), `${file}.cu`];
  return names.map((name) => readFileSync(join(import.meta.dirname, name), "utf8")).join("\n");
}
