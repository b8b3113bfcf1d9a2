import { type ContextStorage, DroverError, noTracer, type Tracer, toDroverError } from "@drover/core";
import { type ContextRequest, ContextWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { faultIn } from "./errors.ts";
import { type ContextObserver, HeldStream, type SharedStorage } from "./held-stream.ts";
import { KeptSegments } from "./kept-segments.ts";
import { failStream, type RpcService, rpcService } from "./rpc-service.ts";
import { sendSegment } from "./segment-frames.ts";

/** Requests behind which there may be more room. */
const FREEING: ReadonlySet<ContextRequest["request"]["case"]> = new Set(["drop", "dropSegment", "keep"]);

/**
 * The server side of the context role: every frame is begun at once and in order, and answered when it is done. What a stream has put goes with it where others do not find it. `kept`: what the
 * storage has for sequences to come.
 */
export function contextService(
  storage: ContextStorage,
  observer: ContextObserver,
  tracer: Tracer = noTracer,
  kept: KeptSegments = new KeptSegments(),
): RpcService {
  /** The streams that stand. A sequence is with one of them, whether it was put or taken over. */
  const streams = new Set<HeldStream>();
  const shared: SharedStorage = { storage, kept, assembling: { byteCount: 0 }, named: new Map() };
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
        held.end();
        streams.delete(held);
        for (const other of streams) other.tellRoom();
      };
      streams.add(held);
      stream.sendMetadata(new Metadata());
      stream.on("data", (request: ContextRequest) => {
        if (ended) return;
        const span = request.traceparent === "" ? undefined : tracer.join("attend", request, { kind: "server" });
        void held.serve(request).then((reply) => {
          span?.end(faultIn(reply));
          // Who asks for nothing would never hear that there is room again, and so go on asking for nothing.
          if (FREEING.has(request.request.case)) for (const other of streams) if (other !== held) other.tellRoom();
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
        const held = [...streams].findLast((one) => one.has(sequenceId));
        const rows = await held?.get({ sequenceId, segment });
        if (rows === undefined) throw new DroverError("not_found", "not held here");
        await sendSegment(stream, rows, sequenceId);
      } catch (error) {
        failStream(stream, toDroverError(error));
      }
    },
  });
}
