import { DroverError } from "@drover/core";

const LINE_FEED = 0x0a;

/** A line's text, or why it has none. */
export type ByteLine = Readonly<{ text: string } | { problem: DroverError }>;

/**
 * Cuts bytes into lines at line feeds alone, without keeping more than one. A line that is too long is read past, and one that is no UTF-8 has no
 * text. A last line needs no line feed.
 */
export async function* byteLines(chunks: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<ByteLine> {
  let parts: Uint8Array[] = [];
  let byteCount = 0;
  const add = (part: Uint8Array) => {
    byteCount += part.length;
    if (byteCount > bytesMax) parts = [];
    else if (part.length > 0) parts.push(part);
  };
  const take = (): ByteLine => {
    const line = byteCount > bytesMax ? { problem: tooLong(bytesMax) } : decoded(Buffer.concat(parts));
    parts = [];
    byteCount = 0;
    return line;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      add(chunk.subarray(from, at));
      from = at + 1;
      yield take();
    }
    // A copy: what sends the chunks may use their memory again.
    add(chunk.slice(from));
  }
  if (byteCount > 0) yield take();
}

function decoded(bytes: Uint8Array): ByteLine {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (cause) {
    return { problem: new DroverError("invalid_argument", "it is not valid UTF-8", { cause }) };
  }
}

function tooLong(bytesMax: number): DroverError {
  return new DroverError("payload_too_large", `it has more than ${bytesMax} bytes`);
}
