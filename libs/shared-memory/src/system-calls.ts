import { closeSync } from "node:fs";
import { DroverError } from "@drover/core";

type Koffi = typeof import("koffi");

/** Of Linux, for x86 and ARM alike. */
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** Its length stays what it is, and so do these seals: whoever maps it can read all of it as long as it likes. */
const SEALS = 1 | 2 | 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;

/** The calls of Linux by which processes have memory together, through koffi, which is loaded with the first of them. */
export class SystemCalls {
  readonly #koffi: Koffi;
  readonly #memfdCreate;
  readonly #ftruncate;
  readonly #fcntl;
  readonly #mmap;
  readonly #munmap;
  readonly #pipe2;
  readonly #write;

  private constructor(koffi: Koffi) {
    const libc = koffi.load(null);
    this.#koffi = koffi;
    this.#memfdCreate = libc.func("memfd_create", "int", ["str", "uint32_t"]);
    this.#ftruncate = libc.func("ftruncate", "int", ["int", "int64_t"]);
    this.#fcntl = libc.func("int fcntl(int, int, ...)");
    this.#mmap = libc.func("mmap", "int64_t", ["void *", "size_t", "int", "int", "int", "int64_t"]);
    this.#munmap = libc.func("munmap", "int", ["int64_t", "size_t"]);
    this.#pipe2 = libc.func("pipe2", "int", ["void *", "int"]);
    this.#write = libc.func("write", "int64_t", ["int", "void *", "size_t"]);
  }

  /** Errors: `unavailable` on systems other than Linux, and where koffi is not installed. */
  static async load(): Promise<SystemCalls> {
    if (process.platform !== "linux")
      throw new DroverError("unavailable", `processes have memory together on Linux, and this is ${process.platform}`);
    try {
      return new SystemCalls(await import("koffi"));
    } catch (cause) {
      throw new DroverError("unavailable", "shared memory needs the package koffi, which is not installed here", {
        cause,
      });
    }
  }

  /** A file of so many zeros that has no name, and is gone with the last who has it open. */
  createMemory(name: string, byteCount: number): number {
    const fd = this.#checked("memfd_create", this.#memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    try {
      this.#checked("ftruncate", this.#ftruncate(fd, byteCount));
      this.#checked("fcntl", this.#fcntl(fd, F_ADD_SEALS, "int", SEALS));
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** Where a file's bytes are in this process from now on. */
  map(fd: number, byteCount: number): bigint {
    return BigInt(this.#checked("mmap", this.#mmap(null, byteCount, PROT_READ_WRITE, MAP_SHARED, fd, 0)));
  }

  unmap(address: bigint, byteCount: number): void {
    this.#checked("munmap", this.#munmap(Number(address), byteCount));
  }

  /** Mapped memory as bytes; they are not to be touched once it is unmapped. */
  view(address: bigint, byteCount: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#koffi.view(address, byteCount));
  }

  createPipe(): Readonly<{ readFd: number; writeFd: number }> {
    const fds = new Int32Array(2);
    this.#checked("pipe2", this.#pipe2(fds, O_CLOEXEC | O_NONBLOCK));
    const [readFd = -1, writeFd = -1] = fds;
    return { readFd, writeFd };
  }

  /** Writes bytes without waiting. False where nobody reads any more, or so much is unread that whoever reads is woken anyhow. */
  write(fd: number, bytes: Uint8Array): boolean {
    return this.#write(fd, bytes, bytes.length) === bytes.length;
  }

  #checked(name: string, result: number): number {
    if (result !== -1) return result;
    throw new DroverError("unavailable", `${name} failed: errno ${this.#koffi.errno()}`);
  }
}
