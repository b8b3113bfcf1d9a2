import { create } from "@bufbuild/protobuf";
import { type ContextStorage, DroverError, noTracer, type Tracer, toDroverError } from "@drover/core";
import {
  type AttendRows,
  type ContextReply,
  ContextReplySchema,
  type ContextRequest,
  ContextWorker,
  type PutRows,
} from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { SegmentAssembly } from "./context-frames.ts";
import { faultIn } from "./errors.ts";
import { bytesOf, rowsOf } from "./expert-frames.ts";
import { failStream, type RpcService, rpcService } from "./rpc-service.ts";
import { nameOf, type SegmentName, sendSegment } from "./segment-frames.ts";

/** What the service reports as it happens. */
export type ContextObserver = Readonly<{ attended: (rowCount: number, seconds: number) => void }>;

/** The server side of the context role: every frame is begun at once and in order, and answered when it is done. What a stream has put goes with it. */
export function contextService(
  storage: ContextStorage,
  observer: ContextObserver,
  tracer: Tracer = noTracer,
): RpcService {
  /** The stream that holds a sequence. */
  const holds = new Map<string, HeldStream>();
  const assembling = { byteCount: 0 };
  let streamCount = 0;
  return rpcService(ContextWorker, {
    hold: (stream) => {
      streamCount += 1;
      const held = new HeldStream(storage, streamCount, assembling, observer);
      let ended = false;
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
        if (request.request.case === "drop") holds.delete(request.request.value.sequenceId);
        const span = request.traceparent === "" ? undefined : tracer.join("attend", request, { kind: "server" });
        void held.serve(request).then((reply) => {
          span?.end(faultIn(reply));
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

/** One attention worker's stream and what it has put. */
class HeldStream {
  readonly #storage: ContextStorage;
  readonly #serial: number;
  readonly #assembling: { byteCount: number };
  readonly #observer: ContextObserver;
  readonly #sequences = new Set<string>();
  readonly #assemblies = new Map<string, SegmentAssembly>();

  constructor(storage: ContextStorage, serial: number, assembling: { byteCount: number }, observer: ContextObserver) {
    this.#storage = storage;
    this.#serial = serial;
    this.#assembling = assembling;
    this.#observer = observer;
  }

  /** One frame's reply, or in the error table's codes why there is none. */
  async serve({ correlationId, request }: ContextRequest): Promise<ContextReply> {
    const reply = create(ContextReplySchema, { correlationId, moves: true });
    try {
      if (request.case === "put") await this.#put(request.value);
      else if (request.case === "attend") Object.assign(reply, await this.#attend(request.value));
      else if (request.case === "drop") this.#drop(request.value.sequenceId);
      else if (request.case === "dropSegment") this.#dropSegment(request.value);
    } catch (error) {
      const { code, message } = toDroverError(error);
      reply.errorCode = code;
      reply.errorMessage = message;
    }
    reply.kvBytesFree = BigInt(Math.max(0, this.#storage.bytesFree - this.#assembling.byteCount));
    reply.kvBytesMax = BigInt(this.#storage.bytesMax);
    return reply;
  }

  get(sequenceId: string, segment: number) {
    return this.#storage.get(this.#key(sequenceId), segment);
  }

  dropAll(): void {
    // Also of sequences of which nothing was whole yet.
    for (const name of [...this.#assemblies.keys()]) this.#end(name);
    for (const sequenceId of [...this.#sequences]) this.#drop(sequenceId);
  }

  async #put(frame: PutRows): Promise<void> {
    const name = nameOf(frame);
    const isFirst = frame.layer === 0 && !frame.values && frame.offset === 0;
    if (isFirst) this.#begin(name, frame);
    const assembly = this.#assemblies.get(name);
    if (assembly === undefined) throw new DroverError("invalid_argument", "a segment's first frame comes first");
    try {
      const rows = assembly.add(frame);
      if (rows === undefined) return;
      const kept = this.#storage.put({ ...rows, sequenceId: this.#key(frame.sequenceId) });
      this.#sequences.add(frame.sequenceId);
      // The storage counts it from here on.
      this.#end(name);
      await kept;
    } catch (error) {
      this.#end(name);
      throw error;
    }
  }

  #dropSegment(name: SegmentName): void {
    this.#end(nameOf(name));
    this.#storage.dropSegment(this.#key(name.sequenceId), name.segment);
  }

  #begin(name: string, frame: PutRows): void {
    this.#end(name);
    const { layerCount, rowBytes, bytesFree } = this.#storage;
    const bytes = 2 * layerCount * frame.rowCount * rowBytes;
    if (frame.rowCount === 0 || bytes > bytesFree - this.#assembling.byteCount)
      throw new DroverError("overloaded", "the context worker's KV is full");
    const assembly = new SegmentAssembly(frame, this.#storage);
    this.#assemblies.set(name, assembly);
    this.#assembling.byteCount += assembly.byteCount;
  }

  #end(name: string): void {
    this.#assembling.byteCount -= this.#assemblies.get(name)?.byteCount ?? 0;
    this.#assemblies.delete(name);
  }

  async #attend({ layer, queries, rows }: AttendRows): Promise<Pick<ContextReply, "attended" | "lse">> {
    const began = performance.now();
    const keyed = queries.map((query) => ({ ...query, sequenceId: this.#key(query.sequenceId) }));
    const { attended_aQ, lse_aH } = await this.#storage.attend({ layer, queries: keyed, q_aQ: rowsOf(rows) });
    const rowCount = queries.reduce((sum, query) => sum + query.rowCount, 0);
    this.#observer.attended(rowCount, (performance.now() - began) / 1000);
    return { attended: bytesOf(attended_aQ), lse: bytesOf(lse_aH) };
  }

  #drop(sequenceId: string): void {
    this.#sequences.delete(sequenceId);
    this.#storage.drop(this.#key(sequenceId));
    for (const name of [...this.#assemblies.keys()]) if (name.endsWith(` ${sequenceId}`)) this.#end(name);
  }

  /** A sequence that comes again on a new stream is another one: the old stream's end must not take it away. */
  #key(sequenceId: string): string {
    return `${this.#serial} ${sequenceId}`;
  }
}
