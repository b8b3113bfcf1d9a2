import { buffer } from "node:stream/consumers";
import { crc32, createDeflate, deflateSync } from "node:zlib";

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** PNG's numbers of colour types. */
export const PNG_COLOURS = { grey: 0, rgb: 2, palette: 3, rgba: 6 } as const;

export type PngShape = Readonly<{ width: number; height: number; bits: number; colour: number }>;

/** A PNG's chunk, with its checksum. */
export function pngChunk(type: string, data: Uint8Array): Buffer {
  const typed = Buffer.concat([Buffer.from(type, "ascii"), data]);
  const chunk = Buffer.alloc(typed.length + 8);
  chunk.writeUInt32BE(data.length, 0);
  typed.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(typed), typed.length + 4);
  return chunk;
}

/**
 * A PNG file of chosen bytes, which need not make sense.
 * @param rows the filtered scan lines, each with its filter byte
 * @param extra chunks before the picture's data
 */
export function pngFile(
  { width, height, bits, colour }: PngShape,
  rows: Uint8Array,
  extra: readonly Buffer[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([bits, colour, 0, 0, 0], 8);
  const data = pngChunk("IDAT", deflateSync(rows));
  return Buffer.concat([SIGNATURE, pngChunk("IHDR", header), ...extra, data, pngChunk("IEND", Buffer.alloc(0))]);
}

/** As many zero bytes, a multiple of a MiB, deflated, without ever having them all. */
export async function deflatedZeros(length: number): Promise<Buffer> {
  const deflate = createDeflate();
  const deflated = buffer(deflate);
  const chunk = new Uint8Array(2 ** 20);
  for (let at = 0; at < length; at += chunk.length) {
    await new Promise<void>((resolve, reject) => deflate.write(chunk, (error) => (error ? reject(error) : resolve())));
  }
  deflate.end();
  return deflated;
}
