/** A picture as a data URL, or a file of text. */
export type Attachment = Readonly<{ name: string; url?: string; text?: string }>;

const PICTURE_BYTES_MAX = 20 * 1024 * 1024;
const TEXT_BYTES_MAX = 4 * 1024 * 1024;

/** Reads a file that was chosen, dropped or pasted. Throws where it is neither a picture nor text, or too large, with words for people. */
export async function readAttachment(file: File): Promise<Attachment> {
  const { name, size, type } = file;
  if (type.startsWith("image/")) {
    if (size > PICTURE_BYTES_MAX) throw new Error(`${name} has ${size} bytes; pictures may have ${PICTURE_BYTES_MAX}`);
    return { name, url: await dataUrl(file) };
  }
  if (size > TEXT_BYTES_MAX) throw new Error(`${name} has ${size} bytes; files of text may have ${TEXT_BYTES_MAX}`);
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()) };
  } catch {
    throw new Error(`${name} is neither a picture nor text in UTF-8`);
  }
}

function dataUrl(file: File): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result));
  reader.onerror = () => reject(new Error(`${file.name} cannot be read`));
  reader.readAsDataURL(file);
  return promise;
}
