import { at, DroverError } from "@drover/core";
import { DATA_URL_HEADER_CHARACTERS_MAX, IMAGE_FILE_BYTES_MAX } from "../limits.ts";
import { sniffImageFormat } from "./image-format.ts";

const SCHEME = "data:";
const ENCODING = ";base64";
/** Media types that say nothing of what the bytes are. */
const UNNAMED = ["", "application/octet-stream"];
export const isDataUrl = (url: string) => url.slice(0, SCHEME.length).toLowerCase() === SCHEME;

/**
 * The bytes of a data URL: base64 of the standard alphabet with its padding. The media type must be an image's, or say nothing; which image it
 * is, the bytes alone decide: clients often name another. Errors: `invalid_argument` otherwise, when they are no image that is taken, or too many.
 */
export function readDataUrl(url: string): Uint8Array<ArrayBuffer> {
  const comma = url.slice(0, SCHEME.length + DATA_URL_HEADER_CHARACTERS_MAX).indexOf(",");
  if (comma < 0) throw invalid("a data URL has the form data:image/png;base64,...");
  const header = url.slice(SCHEME.length, comma).toLowerCase();
  if (!header.endsWith(ENCODING)) throw invalid("a data URL's image must be base64");
  const mediaType = at(header.split(";"), 0);
  if (!mediaType.startsWith("image/") && !UNNAMED.includes(mediaType))
    throw invalid("a data URL's media type must be that of an image, such as image/png");
  const file = readBase64(url.slice(comma + 1));
  sniffImageFormat(file);
  return file;
}

function readBase64(text: string): Uint8Array<ArrayBuffer> {
  const paddingLength = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const length = (text.length / 4) * 3 - paddingLength;
  if (length > IMAGE_FILE_BYTES_MAX) {
    throw invalid(`the image has ${Math.floor(length)} bytes; at most ${IMAGE_FILE_BYTES_MAX} are taken`);
  }
  const file = Buffer.from(text, "base64");
  // Node drops what is no base64, so then there are fewer bytes than characters promise; only the alphabet of URLs it takes as well.
  const isStrict = text.length % 4 === 0 && file.length === length && !text.includes("-") && !text.includes("_");
  // The last group's unused bits must be 0, or two texts would be one image.
  const isCanonical =
    paddingLength === 0 || file.subarray(length - (3 - paddingLength)).toString("base64") === text.slice(-4);
  if (!isStrict || !isCanonical) throw invalid("the data URL is not valid base64");
  return file;
}

function invalid(message: string): DroverError {
  return new DroverError("invalid_argument", message);
}
