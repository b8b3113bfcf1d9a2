import { DroverError } from "@drover/core";

/** The formats that are taken. Everything else, SVG, TIFF, HEIF and PDF among it, never reaches a decoder. */
export const IMAGE_FORMATS = ["png", "jpeg", "webp", "gif"] as const;

export type ImageFormat = (typeof IMAGE_FORMATS)[number];

const ascii = (text: string) => Array.from(text, (character) => character.charCodeAt(0));

/** Bytes that a file of a format begins with; `undefined` stands for any byte. */
const SIGNATURES: readonly Readonly<{ format: ImageFormat; bytes: readonly (number | undefined)[] }>[] = [
  { format: "png", bytes: [0x89, ...ascii("PNG\r\n"), 0x1a, 0x0a] },
  { format: "jpeg", bytes: [0xff, 0xd8, 0xff] },
  { format: "webp", bytes: [...ascii("RIFF"), undefined, undefined, undefined, undefined, ...ascii("WEBP")] },
  { format: "gif", bytes: ascii("GIF87a") },
  { format: "gif", bytes: ascii("GIF89a") },
];

/** Tells a file's format by its first bytes, whatever its name or media type says. Errors: `invalid_argument` when it has none of the four. */
export function sniffImageFormat(file: Uint8Array): ImageFormat {
  const found = SIGNATURES.find(({ bytes }) =>
    bytes.every((byte, index) => byte === undefined || file[index] === byte),
  );
  if (found === undefined) throw new DroverError("invalid_argument", "the file is not a PNG, JPEG, WebP or GIF image");
  return found.format;
}
