import { type ContextStorage, DroverError, noTracer, type Tracer, toDroverError } from "@drover/core";
import { type ContextRequest, ContextWorker } from "@drover/proto";
import { Metadata } from "@grpc/grpc-js";
import { faultIn } from "./errors.ts";
import { type ContextObserver, HeldStream, type SharedStorage } from "./held-stream.ts";
import { KeptSegments } from "./kept-segments.ts";
import { failStream, type RpcService, rpcService } from "./rpc-service.ts";
import { sendSegment } from "./segment-frames.ts";

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
  /** The stream that holds a sequence. */
  const holds = new Map<string, HeldStream>();
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
        const rows = await holds.get(sequenceId)?.get({ sequenceId, segment });
        if (rows === undefined) throw new DroverError("not_found", "not held here");
        await sendSegment(stream, rows, sequenceId);
      } catch (error) {
        failStream(stream, toDroverError(error));
      }
    },
  });
}
