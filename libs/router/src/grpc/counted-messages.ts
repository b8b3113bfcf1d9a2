import type { ServerHttp2Stream } from "node:http2";
import { DroverError, toDroverError } from "@drover/core";
import { requestIdIn, tellIdIn, toServiceError } from "@drover/rpc";
import { Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { Bodies } from "../bodies/bodies.ts";
import { REFUSED_MS_MAX } from "../limits.ts";
import { ComingMessages } from "./coming-messages.ts";
import { refuseUnread } from "./unread-messages.ts";

type Call = Parameters<ServerInterceptor>[1];

/** Of grpc-js's own call, whose types do not tell of it. */
const streamOf = (call: Call) => (call as unknown as Readonly<{ stream: ServerHttp2Stream }>).stream;

/**
 * Counts messages as HTTP bodies are counted, as they come and until their handlers take them (`Bodies.take`), and gives up those that are sent too slowly or cannot be read. grpc-js
 * gives no way to a message before it is whole: this one reads its calls' own streams, before grpc-js does, and must be the first of a server's interceptors.
 */
export function countMessages(bodies: Bodies): ServerInterceptor {
  return ({ requestStream }, call) => {
    const stream = streamOf(call);
    const messages = new ComingMessages(bodies);
    let asked = new Metadata();
    let isOver = false;
    const toldId = (metadata: Metadata) => {
      tellIdIn(metadata, requestIdIn(asked));
      return metadata;
    };
    const answers = refuseUnread(call, () => toldId(new Metadata()));
    const end = () => {
      isOver = true;
      times.stop();
      cutOffLater(stream);
    };
    const refuse = (error: unknown) => {
      if (isOver) return;
      end();
      const { code, details, metadata } = toServiceError(toDroverError(error));
      answers.sendStatus({ code, details, metadata: toldId(metadata) }, (told) => call.sendStatus(told));
    };
    const attempt = (work: () => void) => {
      if (isOver) return;
      try {
        work();
      } catch (error) {
        refuse(error);
      }
    };
    const times = new MessageTimes(stream, bodies, requestStream, refuse);
    // Before grpc-js takes it, which asks for each chunk whether its call was refused.
    stream.prependListener("data", (chunk: Buffer) => attempt(() => times.watch(messages.add(chunk))));
    stream.once("close", () => {
      isOver = true;
      times.stop();
      messages[Symbol.dispose]();
    });
    return new ServerInterceptingCall(call, {
      ...answers,
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, toHandler) => {
            asked = metadata;
            toHandler(metadata);
          },
          onReceiveMessage: (message, toHandler) =>
            attempt(() => {
              messages.read(message);
              toHandler(message);
            }),
          // Its answer has gone, or its client: grpc-js drops what comes behind that, and it would count for a call that stays open.
          onCancel: () => {
            if (!isOver) end();
          },
        }),
    });
  };
}

/** Who goes on sending all the same keeps what has come of it no longer than this. */
function cutOffLater(stream: ServerHttp2Stream): void {
  const ending = setTimeout(() => stream.destroy(), REFUSED_MS_MAX);
  stream.once("close", () => clearTimeout(ending));
}

/** How long a message may take, as a body: of a call with a single one from the call's begin until its client says that this is all. */
class MessageTimes {
  readonly #stream: ServerHttp2Stream;
  readonly #times: Bodies["times"];
  readonly #isStream: boolean;
  readonly #late: () => void;
  #stall: NodeJS.Timeout | undefined;
  #total: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, { times }: Bodies, isStream: boolean, refuse: (error: DroverError) => void) {
    this.#stream = stream;
    this.#times = times;
    this.#isStream = isStream;
    this.#late = () => refuse(new DroverError("request_timeout", "the message was sent too slowly"));
    if (isStream) return;
    this.#begin();
    stream.once("end", () => this.stop());
  }

  /** Some of a message has come; `isPartial`: and not all. */
  watch(isPartial: boolean): void {
    if (!isPartial && this.#isStream) this.stop();
    else if (this.#stall !== undefined) this.#stall.refresh();
    else this.#begin();
  }

  stop(): void {
    clearTimeout(this.#stall);
    clearTimeout(this.#total);
    this.#stall = undefined;
  }

  #begin(): void {
    const { stallMs, totalMs } = this.#times;
    this.#stall = setTimeout(() => {
      // Nobody reads a stream of requests whose handler has enough of them.
      if (this.#stream.isPaused()) this.#stall?.refresh();
      else this.#late();
    }, stallMs);
    if (!this.#isStream) this.#total = setTimeout(this.#late, totalMs);
  }
}
