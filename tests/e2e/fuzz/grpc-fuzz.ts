import { create, toBinary } from "@bufbuild/protobuf";
import { publicApi } from "@drover/proto";
import { Client, credentials, Metadata, status } from "@grpc/grpc-js";
import type { Chance } from "./chance.ts";
import type { Outcome } from "./http-fuzz.ts";

const { typeName } = publicApi.Inference;
const ANSWER_MS_MAX = 60_000;

const seeds: readonly (readonly [string, Uint8Array])[] = [
  [
    "Chat",
    toBinary(
      publicApi.ChatRequestSchema,
      create(publicApi.ChatRequestSchema, { model: "nano", messages: [{ role: "user" }] }),
    ),
  ],
  [
    "Generate",
    toBinary(
      publicApi.GenerateRequestSchema,
      create(publicApi.GenerateRequestSchema, {
        model: "nano",
        prompt: { case: "text", value: "hi" },
        options: { maxTokens: 1 },
      }),
    ),
  ],
  ["Tokenize", toBinary(publicApi.TokenizeRequestSchema, create(publicApi.TokenizeRequestSchema, { model: "nano" }))],
  ["ListModels", new Uint8Array()],
];

/** Calls of the public service with messages that are more or less its own. */
export class GrpcFuzz implements Disposable {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), { "grpc.max_send_message_length": -1 });
  }

  send(chance: Chance): Promise<Outcome> {
    const [name, seed] = chance.of(seeds);
    const bytes = chance.is(0.2) ? chance.bytes(chance.below(200)) : changed(Buffer.from(seed), chance);
    const path = `/${typeName}/${chance.is(0.02) ? "Nothing" : name}`;
    const metadata = new Metadata();
    if (chance.is(0.1))
      metadata.set(chance.of(["authorization", "traceparent", "x"]), chance.of(["", "Bearer", "00-x-y"]));
    return new Promise((resolve) => {
      const call = this.#client.makeServerStreamRequest(
        path,
        (one: Buffer) => one,
        (one: Buffer) => one,
        bytes,
        metadata,
        {
          deadline: Date.now() + ANSWER_MS_MAX,
        },
      );
      // A good request is answered: what follows its first token would only take time.
      call.on("data", () => call.cancel()).on("error", () => undefined);
      call.on("status", ({ code }) =>
        resolve({ what: status[code] ?? String(code), sent: `${path} ${bytes.toString("hex")}` }),
      );
      if (chance.is(0.02)) call.cancel();
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** Bytes are changed, taken out, doubled, or lie behind fields of all kinds. */
function changed(bytes: Buffer, chance: Chance): Buffer {
  let made = bytes;
  for (let time = chance.below(4); time > 0; time--) {
    const at = chance.below(made.length + 1);
    const piece = Buffer.concat([fieldHead(chance), chance.bytes(chance.below(12))]);
    made = chance.of([
      Buffer.concat([made.subarray(0, at), chance.bytes(1), made.subarray(at + 1)]),
      Buffer.concat([made.subarray(0, at), made.subarray(at + 1)]),
      Buffer.concat([made, piece]),
      Buffer.concat([made, made]),
      made.subarray(0, at),
    ]);
  }
  return made;
}

const fieldHead = (chance: Chance): Buffer => Buffer.from([(((1 + chance.below(31)) << 3) | chance.below(6)) & 0xff]);

/** What a client may be told: everything but that this side has a bug. Bytes that are no message are INTERNAL by grpc-js's own reading. */
export const isFault = (what: string): boolean =>
  what === "UNKNOWN" || what === "DATA_LOSS" || what === "DEADLINE_EXCEEDED";
