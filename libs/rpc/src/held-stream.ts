import { create } from "@bufbuild/protobuf";
import { type ContextStorage, DroverError, type SegmentName, type SegmentRows, toDroverError } from "@drover/core";
import {
  type AttendRows,
  type ContextReply,
  ContextReplySchema,
  type ContextRequest,
  type PutRows,
  type Segments,
  type TakeSegments,
} from "@drover/proto";
import { prefixOf, SegmentAssembly } from "./context-frames.ts";
import { bytesOf, rowsOf } from "./expert-frames.ts";
import type { KeptSegments } from "./kept-segments.ts";
import { nameOf } from "./segment-frames.ts";

/** What the service reports as it happens. */
export type ContextObserver = Readonly<{ attended: (rowCount: number, seconds: number) => void }>;

/** What the streams of a context worker have in common: its memory, what it keeps of it for sequences to come, and bytes of segments that are not whole yet. */
export type SharedStorage = Readonly<{
  storage: ContextStorage;
  kept: KeptSegments;
  assembling: { byteCount: number };
  /** How many segments there are of each prefix that others may ask for. */
  named: Map<string, number>;
}>;

/** A segment that is here. `isWhole`: all of it was stored. */
type HeldSegment = { readonly byteCount: number; readonly prefix: string; isWhole: boolean };

/** One attention worker's stream and what it has put. */
export class HeldStream {
  readonly #shared: SharedStorage;
  readonly #serial: number;
  readonly #observer: ContextObserver;
  /** Tells of what was not asked for. */
  readonly #tell: (reply: ContextReply) => void;
  readonly #sequences = new Map<string, Map<number, HeldSegment>>();
  readonly #assemblies = new Map<string, SegmentAssembly>();
  #hasEnded = false;

  constructor(shared: SharedStorage, serial: number, observer: ContextObserver, tell: (reply: ContextReply) => void) {
    this.#shared = shared;
    this.#serial = serial;
    this.#observer = observer;
    this.#tell = tell;
  }

  /** Whether anything of a sequence is here, or on its way. */
  has(sequenceId: string): boolean {
    return this.#sequences.has(sequenceId) || [...this.#assemblies.keys()].some((name) => isOf(name, sequenceId));
  }

  /** One frame's reply, or in the error table's codes why there is none. */
  async serve({ correlationId, request }: ContextRequest): Promise<ContextReply> {
    const reply = create(ContextReplySchema, { correlationId });
    try {
      if (request.case === "put") await this.#put(request.value);
      else if (request.case === "attend") Object.assign(reply, await this.#attend(request.value));
      else if (request.case === "drop") this.#drop(request.value.sequenceId);
      else if (request.case === "dropSegment") this.#dropSegment(request.value);
      else if (request.case === "keep") this.#keep(request.value);
      else if (request.case === "use") reply.held = this.#use(request.value);
      else if (request.case === "take") Object.assign(reply, this.#take(request.value));
    } catch (error) {
      const { code, message } = toDroverError(error);
      reply.errorCode = code;
      reply.errorMessage = message;
    }
    return Object.assign(reply, this.#room());
  }

  /** Reads a segment back, with what names it; undefined where it is not here. */
  async get(name: SegmentName): Promise<SegmentRows | undefined> {
    const rows = await this.#shared.storage.get(this.#key(name.sequenceId), name.segment);
    return rows && { ...rows, prefix: this.#sequences.get(name.sequenceId)?.get(name.segment)?.prefix };
  }

  /** The stream is over. What others find by its prefix stays as long as nobody needs the room, the last of a chain the shortest; the rest goes. */
  end(): void {
    this.#hasEnded = true;
    // Also of sequences of which nothing was whole yet.
    for (const name of [...this.#assemblies.keys()]) this.#end(name);
    for (const [sequenceId, segments] of this.#sequences)
      for (const [segment, { prefix, isWhole }] of [...segments].sort(([one], [other]) => other - one))
        if (!isWhole || prefix === "" || !this.#shared.kept.keepsOrphans) this.#dropSegment({ sequenceId, segment });
        else if (!this.#shared.kept.has(this.#keptName({ sequenceId, segment })))
          this.#keep({ sequenceId, segments: [segment] });
  }

  /** Tells how much room there is, where another stream has given up some of it. */
  tellRoom(): void {
    this.#tell(create(ContextReplySchema, this.#room()));
  }

  /** What every reply says of the worker. What is only kept is free as well. */
  #room(): Pick<ContextReply, "moves" | "keeps" | "kvBytesFree" | "kvBytesMax" | "kvBytesKept"> {
    const { storage, kept, assembling } = this.#shared;
    const free = Math.max(0, storage.bytesFree - assembling.byteCount + kept.byteCount);
    const bytes = { kvBytesMax: BigInt(storage.bytesMax), kvBytesKept: BigInt(kept.byteCount) };
    return { moves: true, keeps: true, kvBytesFree: BigInt(free), ...bytes };
  }

  async #put(frame: PutRows): Promise<void> {
    const { storage } = this.#shared;
    const name = nameOf(frame);
    const isFirst = frame.layer === 0 && !frame.values && frame.offset === 0;
    if (isFirst) this.#begin(name, frame);
    const assembly = this.#assemblies.get(name);
    if (assembly === undefined) throw new DroverError("invalid_argument", "a segment's first frame comes first");
    try {
      const rows = assembly.add(frame);
      if (rows === undefined) return;
      const stored = storage.put({ ...rows, sequenceId: this.#key(frame.sequenceId) });
      // The storage counts it from here on, and it is nobody's to come.
      const held = this.#add(frame, { byteCount: assembly.byteCount, prefix: prefixOf(frame.prefix), isWhole: false });
      this.#end(name);
      await stored;
      held.isWhole = true;
    } catch (error) {
      this.#end(name);
      throw error;
    }
  }

  #dropSegment(name: SegmentName): void {
    this.#end(nameOf(name));
    this.#shared.kept.remove(this.#keptName(name));
    this.#shared.storage.dropSegment(this.#key(name.sequenceId), name.segment);
    this.#forget(name);
  }

  /** The first to go is named first: whoever ends a chain names its last segment first. */
  #keep({ sequenceId, segments }: Pick<Segments, "sequenceId" | "segments">): void {
    const { kept, storage } = this.#shared;
    for (const segment of segments) {
      const held = this.#sequences.get(sequenceId)?.get(segment);
      if (held === undefined) continue;
      const name = { sequenceId, segment };
      const leave = () => {
        this.#forget(name);
        if (!this.#hasEnded) this.#tell(create(ContextReplySchema, { ...this.#room(), gone: [name] }));
      };
      kept.add(this.#keptName(name), {
        ...{ segment, byteCount: held.byteCount, prefix: held.isWhole ? held.prefix : "" },
        isOrphan: () => this.#hasEnded,
        letGo: () => {
          storage.dropSegment(this.#key(sequenceId), segment);
          leave();
        },
        give: (storedAs) => {
          storage.rename({ sequenceId: this.#key(sequenceId), segment }, { sequenceId: storedAs, segment });
          leave();
        },
      });
    }
  }

  /** What nobody reads is this stream's from now on; `later`: somebody still reads some of it. */
  #take({ sequenceId, segments, prefixes }: TakeSegments): Pick<ContextReply, "held" | "later"> {
    const { kept, named } = this.#shared;
    const held: number[] = [];
    let later = false;
    for (const [i, bytes] of prefixes.entries()) {
      const prefix = prefixOf(bytes);
      const segment = segments[i];
      const found = segment === undefined ? undefined : kept.take(prefix, segment);
      if (found === undefined) later ||= named.has(prefix);
      else {
        found.give(this.#key(sequenceId));
        this.#add({ sequenceId, segment: found.segment }, { byteCount: found.byteCount, prefix, isWhole: true });
        held.push(found.segment);
      }
    }
    return { held, later };
  }

  #use({ sequenceId, segments }: Segments): number[] {
    for (const segment of segments) this.#shared.kept.remove(this.#keptName({ sequenceId, segment }));
    return segments.filter((segment) => this.#sequences.get(sequenceId)?.has(segment) === true);
  }

  #add(name: SegmentName, held: HeldSegment): HeldSegment {
    this.#forget(name);
    this.#shared.kept.remove(this.#keptName(name));
    const segments = this.#sequences.get(name.sequenceId) ?? new Map<number, HeldSegment>();
    this.#sequences.set(name.sequenceId, segments.set(name.segment, held));
    const { named } = this.#shared;
    if (held.prefix !== "") named.set(held.prefix, (named.get(held.prefix) ?? 0) + 1);
    return held;
  }

  /** It is this stream's no more. */
  #forget({ sequenceId, segment }: SegmentName): void {
    const segments = this.#sequences.get(sequenceId);
    const held = segments?.get(segment);
    if (segments === undefined || held === undefined) return;
    segments.delete(segment);
    if (segments.size === 0) this.#sequences.delete(sequenceId);
    const { named } = this.#shared;
    const others = (named.get(held.prefix) ?? 0) - 1;
    if (others > 0) named.set(held.prefix, others);
    else named.delete(held.prefix);
  }

  #begin(name: string, frame: PutRows): void {
    this.#end(name);
    const { storage, kept, assembling } = this.#shared;
    const bytes = 2 * storage.layerCount * frame.rowCount * storage.rowBytes;
    const missing = () => bytes - (storage.bytesFree - assembling.byteCount);
    if (missing() > 0) kept.makeRoom(missing());
    if (frame.rowCount === 0 || missing() > 0) throw new DroverError("overloaded", "the context worker's KV is full");
    const assembly = new SegmentAssembly(frame, storage);
    this.#assemblies.set(name, assembly);
    assembling.byteCount += assembly.byteCount;
  }

  #end(name: string): void {
    this.#shared.assembling.byteCount -= this.#assemblies.get(name)?.byteCount ?? 0;
    this.#assemblies.delete(name);
  }

  async #attend({ layer, queries, rows }: AttendRows): Promise<Pick<ContextReply, "attended" | "lse">> {
    const began = performance.now();
    const keyed = queries.map((query) => ({ ...query, sequenceId: this.#key(query.sequenceId) }));
    const { attended_aQ, lse_aH } = await this.#shared.storage.attend({ layer, queries: keyed, q_aQ: rowsOf(rows) });
    const rowCount = queries.reduce((sum, query) => sum + query.rowCount, 0);
    this.#observer.attended(rowCount, (performance.now() - began) / 1000);
    return { attended: bytesOf(attended_aQ), lse: bytesOf(lse_aH) };
  }

  #drop(sequenceId: string): void {
    for (const segment of [...(this.#sequences.get(sequenceId)?.keys() ?? [])])
      this.#dropSegment({ sequenceId, segment });
    for (const name of [...this.#assemblies.keys()]) if (isOf(name, sequenceId)) this.#end(name);
  }

  /** A sequence that comes again on a new stream is another one: the old stream's end must not take it away. */
  #key(sequenceId: string): string {
    return `${this.#serial} ${sequenceId}`;
  }

  #keptName({ sequenceId, segment }: SegmentName): string {
    return nameOf({ sequenceId: this.#key(sequenceId), segment });
  }
}

/** Whether a segment of this name is one of the sequence. */
const isOf = (name: string, sequenceId: string): boolean => name.endsWith(` ${sequenceId}`);
