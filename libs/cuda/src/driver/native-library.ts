import { DroverError } from "@drover/core";

type Koffi = typeof import("koffi");
type LibraryHandle = ReturnType<Koffi["load"]>;

/** Types of C as koffi names them; `out` is an address that the call writes to. */
export type NativeType = "void *" | "str" | "int" | "uint32_t" | "uint64_t" | "size_t" | "uint8_t";

/** What is handed over: numbers, addresses, arrays whose memory the call uses while it runs. */
export type NativeValue = number | bigint | string | null | ArrayBufferView;

/** A function of a library that returns an int. */
export type NativeFunction = (...values: readonly NativeValue[]) => number;

/** A shared library of this machine, called through koffi, which is loaded with the first one: nothing of it is there before. */
export class NativeLibrary {
  readonly path: string;
  readonly #koffi: Koffi;
  readonly #handle: LibraryHandle;

  private constructor(path: string, koffi: Koffi, handle: LibraryHandle) {
    this.path = path;
    this.#koffi = koffi;
    this.#handle = handle;
  }

  /** The first of these that can be loaded. Errors: `unavailable`, with what each said and what to do about it. */
  static async open(what: string, paths: readonly string[], remedy: string): Promise<NativeLibrary> {
    const koffi = await loadKoffi();
    const reasons: string[] = [];
    for (const path of paths) {
      try {
        return new NativeLibrary(path, koffi, koffi.load(path));
      } catch (error) {
        reasons.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    throw new DroverError("unavailable", `${what} cannot be loaded (${reasons.join("; ")}): ${remedy}`);
  }

  /** A function by its name. Errors: `unavailable` where the library has none of that name. */
  bind(name: string, types: readonly NativeType[]): NativeFunction {
    try {
      return this.#handle.func(name, "int", [...types]);
    } catch (cause) {
      throw new DroverError("unavailable", `${this.path} has no function ${name}`, { cause });
    }
  }

  /** Where an array's memory is. It stays there while the array lives. */
  addressOf(array: ArrayBufferView): bigint {
    return BigInt(this.#koffi.address(array));
  }

  /** Memory at an address that this process may read and write, without a copy. */
  view(address: bigint, byteCount: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#koffi.view(address, byteCount));
  }

  /** The text at an address, up to its zero. */
  text(address: bigint): string {
    return this.#koffi.decode.string(address);
  }
}

async function loadKoffi(): Promise<Koffi> {
  try {
    return await import("koffi");
  } catch (cause) {
    throw new DroverError(
      "unavailable",
      "cards are called through the package koffi, which is not installed here: install it with the other packages, optional ones included",
      {
        cause,
      },
    );
  }
}
