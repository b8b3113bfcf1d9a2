import { create } from "@bufbuild/protobuf";
import { type ContextStorage, DroverError, noTracer, type SegmentName, type Tracer, toDroverError } from "@drover/core";
import {
  type AttendRows,
  type ContextReply,
  ContextReplySchema,
  type ContextRequest,
  ContextWorker,
  type PutRows,
  type Segments,
} from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { SegmentAssembly } from "./context-frames.ts";
import { faultIn } from "./errors.ts";
import { bytesOf, rowsOf } from "./expert-frames.ts";
import { KeptSegments } from "./kept-segments.ts";
import { failStream, type RpcService, rpcService } from "./rpc-service.ts";
import { nameOf, sendSegment } from "./segment-frames.ts";

/** What the service reports as it happens. */
export type ContextObserver = Readonly<{ attended: (rowCount: number, seconds: number) => void }>;

/**
 * The server side of the context role: every frame is begun at once and in order, and answered when it is done. What a stream has put goes with it. `kept`: what the
 * storage has for sequences to come.
 */
export function contextService(
  storage: ContextStorage,
  observer: ContextObserver,
  tracer: Tracer = noTracer,
  kept: KeptSegments = new KeptSegments(),
): RpcService {
  /** The stream that holds a sequence. */
  const holds = new Map<string, HeldStream>();
  const shared: SharedStorage = { storage, kept, assembling: { byteCount: 0 } };
  let streamCount = 0;
  return rpcService(ContextWorker, {
    hold: (stream) => {
      streamCount += 1;
      let ended = false;
      const held = new HeldStream(shared, streamCount, observer, (reply) => {
        if (!ended) stream.write(reply);
      });
      const end = () => {
        if (ended) return;
        ended = true;
        held.dropAll();
        for (const [sequenceId, by] of holds) if (by === held) holds.delete(sequenceId);
      };
      stream.sendMetadata(new Metadata());
      stream.on("data", (request: ContextRequest) => {
        if (ended) return;
        if (request.request.case === "put") holds.set(request.request.value.sequenceId, held);
        const span = request.traceparent === "" ? undefined : tracer.join("attend", request, { kind: "server" });
        void held.serve(request).then((reply) => {
          span?.end(faultIn(reply));
          if (request.request.case === "drop" || request.request.case === "dropSegment")
            if (!held.has(request.request.value.sequenceId)) holds.delete(request.request.value.sequenceId);
          if (!ended) stream.write(reply);
        });
      });
      stream.on("end", () => {
        end();
        stream.end();
      });
      stream.on("cancelled", end);
      stream.on("error", () => {
        end();
        stream.destroy();
      });
    },
    get: async (stream) => {
      const { sequenceId, segment } = stream.request;
      try {
        const rows = await holds.get(sequenceId)?.get(sequenceId, segment);
        if (rows === undefined) throw new DroverError("not_found", "not held here");
        await sendSegment(stream, rows, sequenceId);
      } catch (error) {
        failStream(stream, toDroverError(error));
      }
    },
  });
}

/** What the streams of a context worker have in common: its memory, what it keeps of it for sequences to come, and bytes of segments that are not whole yet. */
type SharedStorage = Readonly<{ storage: ContextStorage; kept: KeptSegments; assembling: { byteCount: number } }>;

/** One attention worker's stream and what it has put. */
class HeldStream {
  readonly #shared: SharedStorage;
  readonly #serial: number;
  readonly #observer: ContextObserver;
  /** Tells of what was not asked for. */
  readonly #tell: (reply: ContextReply) => void;
  /** Bytes of the segments of each sequence. */
  readonly #sequences = new Map<string, Map<number, number>>();
  readonly #assemblies = new Map<string, SegmentAssembly>();

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
    } catch (error) {
      const { code, message } = toDroverError(error);
      reply.errorCode = code;
      reply.errorMessage = message;
    }
    return Object.assign(reply, this.#room());
  }

  get(sequenceId: string, segment: number) {
    return this.#shared.storage.get(this.#key(sequenceId), segment);
  }

  dropAll(): void {
    // Also of sequences of which nothing was whole yet.
    for (const name of [...this.#assemblies.keys()]) this.#end(name);
    for (const sequenceId of [...this.#sequences.keys()]) this.#drop(sequenceId);
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
      const segments = this.#sequences.get(frame.sequenceId) ?? new Map<number, number>();
      this.#sequences.set(frame.sequenceId, segments.set(frame.segment, assembly.byteCount));
      // The storage counts it from here on, and it is nobody's to come.
      this.#shared.kept.remove(this.#keptName(frame));
      this.#end(name);
      await stored;
    } catch (error) {
      this.#end(name);
      throw error;
    }
  }

  #dropSegment(name: SegmentName): void {
    this.#end(nameOf(name));
    this.#shared.kept.remove(this.#keptName(name));
    this.#forget(name);
  }

  /** The first to go is named first: whoever ends a chain names its last segment first. */
  #keep({ sequenceId, segments }: Segments): void {
    for (const segment of segments) {
      const byteCount = this.#sequences.get(sequenceId)?.get(segment);
      if (byteCount === undefined) continue;
      const letGo = () => {
        this.#forget({ sequenceId, segment });
        this.#tell(create(ContextReplySchema, { ...this.#room(), gone: [{ sequenceId, segment }] }));
      };
      this.#shared.kept.add(this.#keptName({ sequenceId, segment }), { byteCount, letGo });
    }
  }

  #use({ sequenceId, segments }: Segments): number[] {
    for (const segment of segments) this.#shared.kept.remove(this.#keptName({ sequenceId, segment }));
    return segments.filter((segment) => this.#sequences.get(sequenceId)?.has(segment) === true);
  }

  #forget({ sequenceId, segment }: SegmentName): void {
    this.#shared.storage.dropSegment(this.#key(sequenceId), segment);
    const segments = this.#sequences.get(sequenceId);
    segments?.delete(segment);
    if (segments?.size === 0) this.#sequences.delete(sequenceId);
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
    for (const segment of this.#sequences.get(sequenceId)?.keys() ?? [])
      this.#shared.kept.remove(this.#keptName({ sequenceId, segment }));
    this.#sequences.delete(sequenceId);
    this.#shared.storage.drop(this.#key(sequenceId));
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
