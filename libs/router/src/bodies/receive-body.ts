import type { IncomingMessage } from "node:http";
import type { Readable, Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { DroverError } from "@drover/core";
import { BODY_BYTES_MAX, BODY_MS_MAX, BODY_STALL_MS_MAX } from "../limits.ts";
import { BodyBlocks } from "./body-blocks.ts";
import type { BodyHold } from "./body-budget.ts";

export type BodyTimes = Readonly<{
  /** A body that sends nothing for so long is given up. */
  stallMs: number;
  /** All of it must have come in this time. */
  totalMs: number;
}>;

export const BODY_TIMES: BodyTimes = { stallMs: BODY_STALL_MS_MAX, totalMs: BODY_MS_MAX };

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
};

/** For the answer to those who say something else. */
const BODY_ENCODINGS = Object.keys(DECODERS).filter((name) => !name.startsWith("x-"));

/**
 * Receives a body, unpacked as its `content-encoding` says, and counts it in `hold` as it comes. Errors: `payload_too_large` beyond the most
 * bytes, packed or not; `request_timeout` for who sends too slowly; those of the hold; `unsupported_media_type` for another encoding;
 * `invalid_argument` for what is not packed so; `cancelled` for who leaves.
 */
export async function receiveBody(
  request: IncomingMessage,
  hold: BodyHold,
  times: BodyTimes,
  bytesMax = BODY_BYTES_MAX,
): Promise<BodyBlocks> {
  const declared = Number(request.headers["content-length"] ?? 0);
  if (declared > bytesMax) throw tooLarge(bytesMax);
  hold.check(declared);
  const decoder = decoderFor(request.headers["content-encoding"]);
  if (decoder instanceof DroverError) throw decoder;
  const source: Readable = decoder === undefined ? request : request.pipe(decoder);
  const blocks = new BodyBlocks();
  return await new Promise((resolve, reject) => {
    const late = () => end(new DroverError("request_timeout", "the body was sent too slowly"));
    let total: NodeJS.Timeout | undefined;
    let stall: NodeJS.Timeout | undefined;
    // Most bodies come with their headers, and are whole before their time would begin.
    const waiting = setImmediate(() => {
      total = setTimeout(late, times.totalMs);
      stall = setTimeout(late, times.stallMs);
    });
    const take = (chunk: Buffer) => {
      try {
        if (blocks.byteLength + chunk.byteLength > bytesMax) throw tooLarge(bytesMax);
        hold.add(chunk.byteLength);
        blocks.append(chunk);
      } catch (error) {
        end(error);
      }
    };
    const progress = () => stall?.refresh();
    // A request that has come to its end closes too, while the rest of it is being unpacked.
    const gone = () => {
      if (!request.complete) end(new DroverError("cancelled", "the client has left"));
    };
    const whole = () => end();
    const broken = (cause: Error) => end(unpackable(cause));
    const end = (error?: unknown) => {
      clearImmediate(waiting);
      clearTimeout(total);
      clearTimeout(stall);
      source.off("data", take).off("end", whole);
      request.off("data", progress).off("close", gone).off("error", gone);
      if (error === undefined) return resolve(blocks);
      // What else may come of a packed body interests nobody.
      if (decoder !== undefined) {
        request.unpipe(decoder);
        decoder.destroy();
      }
      request.pause();
      reject(error);
    };
    decoder?.on("error", broken);
    source.on("data", take).once("end", whole);
    request.on("data", progress).once("close", gone).once("error", gone);
    if (request.destroyed) gone();
  });
}

/** Undefined where nothing is packed. */
function decoderFor(encoding: string | undefined): Transform | DroverError | undefined {
  const name = encoding?.trim().toLowerCase() ?? "";
  if (name === "" || name === "identity") return undefined;
  const open = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
  if (open !== undefined) return open();
  const sentence = `the content-encoding ${JSON.stringify(name.slice(0, 40))} is not read: send ${BODY_ENCODINGS.join(", ")} or none`;
  return new DroverError("unsupported_media_type", sentence);
}

const tooLarge = (bytesMax: number) =>
  new DroverError("payload_too_large", `the body may have at most ${bytesMax} bytes`);

const unpackable = (cause: Error) =>
  new DroverError("invalid_argument", "the body is not packed as its content-encoding says", { cause });
