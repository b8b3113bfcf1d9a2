import { FORM_PARTS_MAX } from "../limits.ts";
import { fieldError } from "../schema/check.ts";

/** One field of a form. */
export type FormPart = Readonly<{ name: string; filename: string | undefined; bytes: Uint8Array }>;

const LINE_END = "\r\n";
const HEAD_END = "\r\n\r\n";

/**
 * Reads a form of several parts; their bytes are views of the body's. Errors: `invalid_argument` for what is none, or has too many parts.
 * Source: RFC 7578.
 */
export function readForm(contentType: string | undefined, body: Uint8Array): readonly FormPart[] {
  const boundary = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))/i.exec(
    contentType ?? "",
  );
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw fieldError("", "the body must be multipart/form-data with a boundary");
  // A buffer searches for a text natively; a body may have 32 MiB.
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const parts: FormPart[] = [];
  let at = bytes.indexOf(`--${mark}`);
  while (at >= 0) {
    const start = at + mark.length + 2;
    if (bytes.toString("latin1", start, start + 2) === "--") return parts;
    if (parts.length === FORM_PARTS_MAX) throw fieldError("", `the form may have at most ${FORM_PARTS_MAX} fields`);
    const end = bytes.indexOf(`${LINE_END}--${mark}`, start);
    const head = bytes.indexOf(HEAD_END, start);
    if (end < 0 || head < 0 || head > end) break;
    parts.push(partOf(bytes.toString("utf8", start, head), bytes.subarray(head + HEAD_END.length, end)));
    at = end + LINE_END.length;
  }
  throw fieldError("", "the body is no whole form");
}

function partOf(head: string, bytes: Uint8Array): FormPart {
  const line = head.split(LINE_END).find((one) => /^content-disposition\s*:/i.test(one)) ?? "";
  const name = /[;\s]name="([^"]*)"/i.exec(line)?.[1];
  if (name === undefined) throw fieldError("", "a field of the form has no name");
  return { name, filename: /[;\s]filename="([^"]*)"/i.exec(line)?.[1], bytes };
}
