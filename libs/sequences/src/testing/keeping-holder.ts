import type { ContextHolder, SegmentKeeping, SegmentName, SegmentRows, SegmentTransfer } from "@drover/core";

export const nameOf = ({ sequenceId, segment }: SegmentName): string => `${sequenceId} ${segment}`;

export type KeepingHolderOptions = Readonly<{
  segmentBytes: number;
  segmentCountMax: number;
  /** Told what it gets by `put`. */
  onPut: (name: SegmentName) => void;
}>;

/** A context worker as its service makes one: what is kept gives way, the one that was kept longest first. */
export class KeepingHolder implements ContextHolder {
  readonly workerId: string;
  readonly bytesMax: number;
  readonly segments = new Set<string>();
  readonly kept = new Map<string, SegmentName>();
  readonly transfer: SegmentTransfer;
  readonly keeping: SegmentKeeping;
  readonly onPut: (name: SegmentName) => void;
  connected = true;
  draining = false;
  life = 1;
  #gone: SegmentName[] = [];

  readonly #segmentBytes: number;

  /** `all`: those from which it may copy. */
  constructor(workerId: string, all: readonly KeepingHolder[], options: KeepingHolderOptions) {
    const { segmentBytes, segmentCountMax, onPut } = options;
    this.workerId = workerId;
    this.#segmentBytes = segmentBytes;
    this.bytesMax = segmentCountMax * segmentBytes;
    this.onPut = onPut;
    this.transfer = {
      address: workerId,
      copy: async (sequenceId, segment, from) => {
        const source = all.find((one) => one.workerId === from);
        return source?.segments.has(nameOf({ sequenceId, segment })) === true && this.#take({ sequenceId, segment });
      },
      drop: (sequenceId, segment) => this.#drop(nameOf({ sequenceId, segment })),
    };
    const bytesKept = () => this.kept.size * this.#segmentBytes;
    this.keeping = {
      get bytesKept() {
        return bytesKept();
      },
      keep: (sequenceId, segment) => {
        const name = { sequenceId, segment };
        if (this.segments.has(nameOf(name))) this.kept.set(nameOf(name), name);
      },
      use: async (sequenceId, segments) => {
        for (const segment of segments) this.kept.delete(nameOf({ sequenceId, segment }));
        return segments.filter((segment) => this.segments.has(nameOf({ sequenceId, segment })));
      },
      take: async () => ({ held: [], later: false }),
      takeGone: () => this.#gone.splice(0),
    };
  }

  get bytesFree(): number {
    return this.bytesMax - (this.segments.size - this.kept.size) * this.#segmentBytes;
  }

  async put(rows: SegmentRows): Promise<boolean> {
    const isTaken = this.#take(rows);
    if (isTaken) this.onPut(rows);
    return isTaken;
  }

  async attend(): Promise<undefined> {
    return undefined;
  }

  drop(sequenceId: string): void {
    for (const name of this.segments) if (name.startsWith(`${sequenceId} `)) this.#drop(name);
  }

  /** Another attention worker needs the room: it lets go of what was kept longest. */
  evict(): void {
    const [first] = this.kept.values();
    if (first === undefined) return;
    this.#drop(nameOf(first));
    this.#gone.push(first);
  }

  die(): void {
    this.life += 1;
    this.segments.clear();
    this.kept.clear();
    this.#gone = [];
  }

  #take({ sequenceId, segment }: SegmentName): boolean {
    if (this.bytesFree < this.#segmentBytes) return false;
    if (this.bytesMax - this.segments.size * this.#segmentBytes < this.#segmentBytes) this.evict();
    this.segments.add(nameOf({ sequenceId, segment }));
    return true;
  }

  #drop(name: string): void {
    this.segments.delete(name);
    this.kept.delete(name);
  }
}
