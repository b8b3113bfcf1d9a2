import { DroverError } from "@drover/core";
import sharp, { type Metadata } from "sharp";
import { DECODE_SECONDS_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_MAX } from "../limits.ts";
import { type ImageFormat, sniffImageFormat } from "./image-format.ts";
import { cmykToRgb, overWhite } from "./rgb-conversion.ts";
import type { RgbPicture } from "./rgb-picture.ts";

// Every file is another one, and the pool's size alone says how many cores are used.
sharp.cache(false);
sharp.concurrency(1);

/** Colour profiles stay unread, as the reference does it. Damage is an error; libjpeg's warnings, of stray bytes say, are not. */
const OPTIONS = { autoOrient: true, ignoreIcc: true, failOn: "error", pages: 1, limitInputPixels: false } as const;

/**
 * Decodes a PNG, JPEG, WebP or GIF file: its first frame, turned as EXIF says, grey, palette, 16-bit and CMYK as 8-bit RGB, alpha over white.
 * Errors: `invalid_argument` for what is none of these, is damaged or incomplete, is beyond the limits or takes too long.
 * Source: goldens of Hugging Face's processor behind Pillow's conversions.
 */
export async function decodeImage(file: Uint8Array): Promise<RgbPicture> {
  const format = sniffImageFormat(file);
  const { space } = await pictureHeader(file, format);
  const source = sharp(file, OPTIONS);
  const converted =
    space === "cmyk" ? source.pipelineColourspace("cmyk").toColourspace("cmyk") : source.toColourspace("srgb");
  const { data, info } = await decoded(format, () =>
    converted.timeout({ seconds: DECODE_SECONDS_MAX }).raw({ depth: "uchar" }).toBuffer({ resolveWithObject: true }),
  );
  const { width, height, channels } = info;
  if (data.byteLength !== width * height * channels) throw damaged(format);
  if (space === "cmyk" && channels === 4) return { width, height, pixels: cmykToRgb(data) };
  if (channels === 4) return { width, height, pixels: overWhite(data) };
  if (channels === 3) return { width, height, pixels: data };
  throw damaged(format);
}

/**
 * A picture's size and colours as its header says, before anything is decoded: a small file may claim to be a picture of any size. Read on a
 * thread of libuv's. Errors: `invalid_argument` for what is damaged or beyond the limits.
 */
export async function pictureHeader(file: Uint8Array, format: ImageFormat): Promise<Metadata> {
  const header = await decoded(format, () => sharp(file, OPTIONS).metadata());
  const { width, height } = header;
  if (header.format !== format) throw damaged(format);
  if (width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX || width * height > IMAGE_PIXELS_MAX) {
    throw new DroverError(
      "invalid_argument",
      `the image has ${width} x ${height} pixels; at most ${IMAGE_PIXELS_MAX}, and ${IMAGE_SIDE_MAX} a side, are taken`,
    );
  }
  return header;
}

async function decoded<T>(format: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (cause) {
    throw damaged(format, cause);
  }
}

function damaged(format: string, cause?: unknown): DroverError {
  const name = format === "webp" ? "WebP" : format.toUpperCase();
  return new DroverError(
    "invalid_argument",
    `the ${name} image cannot be decoded: it is damaged, incomplete or too complex`,
    { cause },
  );
}
