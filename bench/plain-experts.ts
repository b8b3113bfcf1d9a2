import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import type { ExpertRunner } from "@drover/core";
import { type ExpertPeer, gatherRows, type PeerCall, scatterRows } from "@drover/exchange";
import {
  ActivationType,
  type ExpertReply,
  ExpertReplySchema,
  type ExpertRequest,
  ExpertRequestSchema,
  ExpertWorker,
} from "@drover/proto";
import { channelOptions, PROTOCOL, protocolText } from "@drover/rpc";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type Server,
  type ServerDuplexStream,
} from "@grpc/grpc-js";

/** The exchange with nothing but protobuf-es: what it was before payloads had room before them, kept to be measured beside what it is. */

const FRAME_BYTES_MAX = 256 * 1024;
const PATH = `/${ExpertWorker.typeName}/${ExpertWorker.method.exchange.name}`;

function plain<D extends DescMessage>(schema: D) {
  return {
    serialize: (message: MessageShape<D>) => {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes: Buffer) => fromBinary(schema, bytes),
  };
}

const REQUEST = plain(ExpertRequestSchema);
const REPLY = plain(ExpertReplySchema);

function bytesOf(rows: Float32Array): Uint8Array {
  return new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength);
}

function rowsOf(bytes: Uint8Array): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/** Serves the experts on a server. */
export function addPlainExperts(server: Server, runner: ExpertRunner): void {
  const exchange = (stream: ServerDuplexStream<ExpertRequest, ExpertReply>) => {
    stream.sendMetadata(new Metadata());
    stream.on("data", async ({ correlationId, layer, experts, rowCounts, rows }: ExpertRequest) => {
      const z = rowsOf(rows);
      const y = new Float32Array(z.length);
      await runner.run(layer, experts, rowCounts, z, y);
      stream.write(create(ExpertReplySchema, { correlationId, activationType: ActivationType.F32, rows: bytesOf(y) }));
    });
    stream.on("end", () => stream.end());
  };
  const streams = { requestStream: true, responseStream: true } as const;
  const codecs = {
    requestSerialize: REQUEST.serialize,
    requestDeserialize: REQUEST.deserialize,
    responseSerialize: REPLY.serialize,
    responseDeserialize: REPLY.deserialize,
  };
  server.addService({ exchange: { path: PATH, ...streams, ...codecs } }, { exchange });
}

/** A peer of such a server. A call is one expert's, in frames; the stream is expected to stand. */
export class PlainPeer implements ExpertPeer, Disposable {
  readonly isHere = false;
  readonly workerId = "plain";
  readonly connected = true;
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<ExpertRequest, ExpertReply>;
  readonly #waiting = new Map<bigint, (reply: ExpertReply) => void>();
  #nextId = 1n;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), channelOptions);
    const metadata = new Metadata();
    metadata.set("drover-protocol", protocolText(PROTOCOL));
    this.#stream = this.#client.makeBidiStreamRequest(PATH, REQUEST.serialize, REPLY.deserialize, metadata);
    this.#stream.on("error", () => undefined);
    this.#stream.on("data", (reply: ExpertReply) => this.#waiting.get(reply.correlationId)?.(reply));
  }

  async call({ layer, experts, rows, z_aD, y_aD, width }: PeerCall): Promise<boolean> {
    const z = new Float32Array(rows.length * width);
    gatherRows(z_aD, rows, width, z);
    const y = new Float32Array(z.length);
    const rowsMax = Math.max(1, Math.floor(FRAME_BYTES_MAX / (4 * width)));
    const frames: Promise<void>[] = [];
    for (let from = 0; from < rows.length; from += rowsMax) {
      const part = z.subarray(from * width, Math.min(rows.length, from + rowsMax) * width);
      const rowCounts = [part.length / width];
      frames.push(this.#send({ layer, experts: [...experts], rowCounts }, part, y, from * width));
    }
    await Promise.all(frames);
    scatterRows(y, rows, width, y_aD);
    return true;
  }

  #send(
    of: Pick<ExpertRequest, "layer" | "experts" | "rowCounts">,
    z: Float32Array,
    y: Float32Array,
    at: number,
  ): Promise<void> {
    const correlationId = this.#nextId++;
    return new Promise((resolve) => {
      this.#waiting.set(correlationId, ({ rows }) => {
        this.#waiting.delete(correlationId);
        y.set(rowsOf(rows), at);
        resolve();
      });
      const activationType = ActivationType.F32;
      this.#stream.write(create(ExpertRequestSchema, { correlationId, activationType, ...of, rows: bytesOf(z) }));
    });
  }

  [Symbol.dispose](): void {
    this.#stream.cancel();
    this.#client.close();
  }
}
