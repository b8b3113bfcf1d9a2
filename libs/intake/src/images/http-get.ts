import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { LookupFunction } from "node:net";
import { DroverError } from "@drover/core";
import type { CheckedUrl } from "./checked-url.ts";

const HEADERS = {
  accept: "image/png, image/jpeg, image/webp, image/gif",
  "accept-encoding": "identity",
  "user-agent": "drover",
};

/**
 * Asks for a URL over a new connection to one of its checked addresses, and follows nothing. The body is the caller's to read or destroy.
 * Errors: `unavailable` when no answer comes, or whatever else when the signal aborts.
 */
export function httpGet({ url, addresses }: CheckedUrl, signal: AbortSignal): Promise<IncomingMessage> {
  const lookup: LookupFunction = (_hostname, { all }, callback) => {
    const [first] = addresses;
    if (all) callback(null, [...addresses]);
    else callback(null, first?.address ?? "", first?.family);
  };
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    // No agent: a kept connection, or a proxy, might lead elsewhere than to the checked addresses.
    request(url, { agent: false, lookup, signal, headers: HEADERS })
      .on("response", resolve)
      .on("error", (cause) => reject(new DroverError("unavailable", "the image's server cannot be reached", { cause })))
      .end();
  });
}

/** Reads a body to its end. Errors: `invalid_argument` as soon as it is longer than `bytesMax`, `unavailable` when it breaks off. */
export async function readBody(response: IncomingMessage, bytesMax: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLong = () =>
    new DroverError("invalid_argument", `the image has more than the ${bytesMax} bytes that are taken`);
  if (Number(response.headers["content-length"] ?? 0) > bytesMax) throw tooLong();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > bytesMax) throw tooLong();
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof DroverError) throw cause;
    throw new DroverError("unavailable", "the image's server broke off", { cause });
  }
  return Buffer.concat(chunks, length);
}
