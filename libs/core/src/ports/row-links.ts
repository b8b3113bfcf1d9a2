/** Memory that this process has together with another one of its host, and a bell each way. */
export type SharedRoom = Disposable &
  Readonly<{
    address: bigint;
    /** Not to be touched once it is unmapped. */
    bytes: Uint8Array<ArrayBuffer>;
    isOpen: boolean;
    /** Calls when the other has rung, and once when it is gone or this end is disposed of. */
    listen(onWake: () => void, onGone: () => void): void;
    /** Wakes the other. */
    ring(): void;
    /** Gives the memory back, once nothing of this process uses it. */
    unmap(): void;
  }>;

/** One way from this process's device to another one's; disposed of, no rows go there any more, and its memory is given back when no step uses it. */
export type RowLink = Disposable &
  Readonly<{
    /** The other side has taken the memory: rows go this way from the next step on. */
    begin(): void;
  }>;

/** Where a device's steps send rows to other devices of this host by themselves, through memory that both read and write. */
export interface RowLinks {
  /** Bytes of a link's memory. */
  readonly byteCount: number;
  /** Makes a worker's link of memory that is to be offered to it, whose owner this is from now on. Errors: `unavailable` where the device cannot use it, `overloaded` where there are too many links. */
  open(workerId: string, room: SharedRoom): RowLink;
}

/** Computes what other processes' devices ask for through memory. */
export interface RowLinkAnswers {
  /** Bytes of a link's memory. */
  readonly byteCount: number;
  /** Answers what is asked through the memory until its other side is gone; its owner from now on. Errors, which leave it to the caller: `unavailable` where the devices have no such way to each other. */
  answer(room: SharedRoom): void;
}
