import { EventEmitter } from "node:events";
import { create } from "@bufbuild/protobuf";
import { DroverError, TransientMap, toDroverError } from "@drover/core";
import { type CarriedCall, type CarriedReply, CarriedReplySchema } from "@drover/proto";
import type {
  Metadata,
  MethodDefinition,
  ServerDuplexStream,
  ServiceDefinition,
  ServiceError,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { fromServiceError } from "../errors.ts";
import { CARRIED_CALLS_MAX } from "../limits.ts";
import { setTrace } from "../trace-metadata.ts";

type Stream = ServerDuplexStream<CarriedCall, CarriedReply>;
type Handler = (call: ServedCall, callback: sendUnaryData<unknown>) => void;
type Method = Readonly<{ definition: MethodDefinition<unknown, unknown>; handle: Handler }>;

/** A carried call as a handler of unary ones sees it. */
class ServedCall extends EventEmitter {
  readonly request: unknown;
  readonly metadata: Metadata;
  cancelled = false;

  constructor(request: unknown, metadata: Metadata) {
    super();
    this.request = request;
    this.metadata = metadata;
  }

  cancel(): void {
    this.cancelled = true;
    this.emit("cancelled");
  }
}

/** Answers the calls that peers' streams carry, by a server's own handlers of unary calls. */
export class CarriedAnswers {
  readonly #methods = new Map<string, Method>();
  readonly #streams = new Set<CarriedStream>();
  #ended = false;

  /** Has the unary methods of a service answered, as the service itself answers them. */
  add(service: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    for (const [name, definition] of Object.entries(service)) {
      if (definition.requestStream || definition.responseStream) continue;
      const handle = implementation[name];
      // A call of its own is told so too.
      if (handle === undefined) continue;
      this.#methods.set(definition.path, { definition, handle: handle as unknown as Handler });
    }
  }

  serve(stream: Stream): void {
    const served = new CarriedStream(stream, this.#methods, () => this.#streams.delete(served));
    this.#streams.add(served);
    if (this.#ended) served.end();
  }

  /** Ends all streams once what their handlers have begun is answered; callers make what was not begun as calls of its own. */
  end(): void {
    this.#ended = true;
    for (const stream of this.#streams) stream.end();
  }

  /** Begins nothing more, and answers nobody: the connections end. */
  drop(): void {
    for (const stream of this.#streams) stream.drop();
  }
}

/** One peer's calls. */
class CarriedStream {
  readonly #stream: Stream;
  readonly #methods: ReadonlyMap<string, Method>;
  readonly #onOver: () => void;
  /** What has come in this turn of the event loop: of a peer that gave a call up meanwhile, nothing is begun. */
  readonly #arrived = new TransientMap<number, CarriedCall>();
  readonly #running = new TransientMap<number, ServedCall>();
  #ending = false;
  #over = false;

  constructor(stream: Stream, methods: ReadonlyMap<string, Method>, onOver: () => void) {
    this.#stream = stream;
    this.#methods = methods;
    this.#onOver = onOver;
    stream.on("data", (call: CarriedCall) => this.#take(call));
    stream.on("end", () => this.end());
    for (const event of ["cancelled", "error"]) stream.on(event, () => this.drop());
    // The caller sends nothing before it knows that it is served.
    stream.sendMetadata(stream.metadata.clone());
  }

  end(): void {
    this.#ending = true;
    this.#arrived.takeAll();
    this.#endIfIdle();
  }

  #take(call: CarriedCall): void {
    const { id, path } = call;
    if (path === "") {
      if (this.#arrived.take(id) === undefined) this.#running.get(id)?.cancel();
      return;
    }
    if (this.#ending) return;
    if (this.#arrived.size + this.#running.size >= CARRIED_CALLS_MAX) {
      this.#refuse(id, new DroverError("overloaded", `${CARRIED_CALLS_MAX} calls are under way, the maximum`));
      return;
    }
    this.#arrived.set(id, call);
    if (this.#arrived.size === 1) setImmediate(() => this.#begin());
  }

  #begin(): void {
    for (const call of this.#arrived.takeAll()) this.#answer(call);
  }

  #answer(carried: CarriedCall): void {
    const { id, path } = carried;
    const method = this.#methods.get(path);
    if (method === undefined) {
      this.#refuse(id, new DroverError("internal", `${path} is not served here`));
      return;
    }
    const { definition, handle } = method;
    const call = this.#read(carried, definition);
    if (call === undefined) return;
    this.#running.set(id, call);
    handle(call, (error, reply) => {
      this.#running.take(id);
      if (error) this.#refuse(id, fromServiceError(error as ServiceError));
      else this.#reply(id, definition, reply);
      this.#endIfIdle();
    });
  }

  /** Undefined, and refused, where the request is none of the method's. */
  #read(
    { id, path, request, traceparent, tracestate }: CarriedCall,
    method: Method["definition"],
  ): ServedCall | undefined {
    const { metadata } = this.#stream;
    const own = traceparent === "" ? metadata : setTrace(metadata.clone(), { traceparent, tracestate });
    try {
      const bytes = Buffer.from(request.buffer, request.byteOffset, request.byteLength);
      return new ServedCall(method.requestDeserialize(bytes), own);
    } catch (cause) {
      this.#refuse(id, new DroverError("internal", `the request of ${path} cannot be read`, { cause }));
      return undefined;
    }
  }

  #reply(id: number, { path, responseSerialize }: Method["definition"], reply: unknown): void {
    let bytes: Buffer;
    try {
      bytes = responseSerialize(reply);
    } catch (cause) {
      this.#refuse(id, new DroverError("internal", `the reply of ${path} cannot be written`, { cause }));
      return;
    }
    this.#send(create(CarriedReplySchema, { id, reply: bytes }));
  }

  #refuse(id: number, error: unknown): void {
    const { code, message, field = "", retryAfterMs = 0 } = toDroverError(error);
    const fault = { errorCode: code, error: message, errorField: field };
    this.#send(create(CarriedReplySchema, { id, ...fault, retryAfterMs: BigInt(Math.ceil(retryAfterMs)) }));
  }

  #send(reply: CarriedReply): void {
    if (!this.#over) this.#stream.write(reply);
  }

  #endIfIdle(): void {
    if (!this.#ending || this.#over || this.#running.size > 0) return;
    this.#finish();
    this.#stream.end();
  }

  /** The peer is gone: nobody waits for what its calls come to. */
  drop(): void {
    if (this.#over) return;
    this.#ending = true;
    this.#arrived.takeAll();
    this.#finish();
    for (const call of this.#running.takeAll()) call.cancel();
  }

  #finish(): void {
    this.#over = true;
    this.#onOver();
  }
}
