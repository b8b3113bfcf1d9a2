import { randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readlinkSync } from "node:fs";
import { DroverError } from "@drover/core";
import { NONCE_BYTES, SEGMENT_BYTES_MAX } from "./limits.ts";
import { type SegmentOffer, SharedSegment } from "./shared-segment.ts";
import { SystemCalls } from "./system-calls.ts";

const NAME = "drover-exchange";

/** A segment, what another process is told of it, and what ends the offer once that has answered. */
type OfferedSegment = Readonly<{ segment: SharedSegment; offer: SegmentOffer; withdraw: () => void }>;

/**
 * Segments of memory that two processes of one host have together. They have no name in any file system: one process makes it, and the other opens it by the
 * number under which the first has it open. So nothing of it stays when both have ended, in whatever way.
 */
export class SharedMemory {
  static #loaded: Promise<SharedMemory> | undefined;
  readonly #calls: SystemCalls;

  private constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  /** The process's own, loaded when it is first asked for. Errors: `unavailable`, where this system has none. */
  static load(): Promise<SharedMemory> {
    SharedMemory.#loaded ??= SystemCalls.load().then((calls) => new SharedMemory(calls));
    return SharedMemory.#loaded;
  }

  /** A new segment of zeros behind its nonce, to be offered to one process. Errors: `unavailable`, with the system's number of the fault. */
  create(byteCount: number): OfferedSegment {
    const calls = this.#calls;
    const fds: number[] = [];
    try {
      const memoryFd = calls.createMemory(NAME, byteCount);
      fds.push(memoryFd);
      const there = calls.createPipe();
      fds.push(there.readFd, there.writeFd);
      const here = calls.createPipe();
      fds.push(here.readFd, here.writeFd);
      const segment = new SharedSegment(calls, memoryFd, byteCount, {
        wokenFd: here.readFd,
        wakesFd: there.writeFd,
      });
      const nonce = randomBytes(NONCE_BYTES);
      segment.bytes.set(nonce);
      const offer = {
        processId: process.pid,
        memoryFd,
        byteCount,
        wokenFd: there.readFd,
        wakesFd: here.writeFd,
        nonce,
      };
      // With these closed, the end of the other process is the end of its pipes.
      const lent = [memoryFd, there.readFd, here.writeFd];
      const withdraw = () => {
        for (const fd of lent.splice(0)) closeSync(fd);
      };
      return { segment, offer, withdraw };
    } catch (error) {
      for (const fd of fds) closeSync(fd);
      throw error;
    }
  }

  /** Maps what another process offers. Errors: `not_found` where this host has no such segment: the other is elsewhere; `invalid_argument` for an offer that is none. */
  open(offer: SegmentOffer): SharedSegment {
    const { processId, byteCount, nonce } = offer;
    if (!(byteCount >= NONCE_BYTES && byteCount <= SEGMENT_BYTES_MAX) || nonce.length !== NONCE_BYTES)
      throw new DroverError("invalid_argument", "a segment's offer has no size or nonce that there could be");
    const fds: number[] = [];
    const openAs = (fd: number, kind: RegExp, flags: number) => {
      const opened = openSync(checkedPath(processId, fd, kind), flags);
      fds.push(opened);
      return opened;
    };
    try {
      const memoryFd = openAs(offer.memoryFd, MEMORY, constants.O_RDWR);
      const { size, uid } = fstatSync(memoryFd);
      if (size !== byteCount || uid !== process.getuid?.())
        throw new DroverError("not_found", "the segment has another size or owner");
      const wokenFd = openAs(offer.wokenFd, PIPE, constants.O_RDONLY | constants.O_NONBLOCK);
      const wakesFd = openAs(offer.wakesFd, PIPE, constants.O_WRONLY | constants.O_NONBLOCK);
      const segment = new SharedSegment(this.#calls, memoryFd, byteCount, { wokenFd, wakesFd });
      closeSync(memoryFd);
      fds.length = 0;
      if (nonce.every((byte, i) => segment.bytes[i] === byte)) return segment;
      segment[Symbol.dispose]();
      segment.unmap();
      throw new DroverError("not_found", "the segment is another one");
    } catch (error) {
      for (const fd of fds) closeSync(fd);
      if (error instanceof DroverError) throw error;
      throw new DroverError("not_found", "no process of this host offers that segment", { cause: error });
    }
  }
}

const MEMORY = new RegExp(`^/memfd:${NAME}( |$)`);
const PIPE = /^pipe:/;

/** The path of a process's open file. What it is, is asked before it is opened: to open some files does things. */
function checkedPath(processId: number, fd: number, kind: RegExp): string {
  const path = `/proc/${processId}/fd/${fd}`;
  if (!kind.test(readlinkSync(path))) throw new DroverError("not_found", "the offer names another kind of file");
  return path;
}
