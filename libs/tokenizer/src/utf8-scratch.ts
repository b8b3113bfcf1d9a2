/** Writes pieces of a text as UTF-8 into memory that is used again. */
export class Utf8Scratch {
  bytes = new Uint8Array(256);

  /** Gives memory back that a long piece has taken. */
  release(): void {
    this.bytes = new Uint8Array(256);
  }

  /** Writes `text[from, to)`, well-formed, into `bytes`; the number of bytes. */
  write(text: string, from: number, to: number): number {
    if (this.bytes.length < 3 * (to - from)) this.bytes = new Uint8Array(3 * (to - from));
    const { bytes } = this;
    let at = 0;
    for (let i = from; i < to; i++) {
      let point = text.charCodeAt(i);
      if (point < 0x80) {
        bytes[at++] = point;
        continue;
      }
      if (point < 0x800) {
        bytes[at++] = 0xc0 | (point >> 6);
      } else {
        if ((point & 0xfc00) === 0xd800) {
          point = text.codePointAt(i++) ?? point;
          bytes[at++] = 0xf0 | (point >> 18);
          bytes[at++] = 0x80 | ((point >> 12) & 0x3f);
        } else bytes[at++] = 0xe0 | (point >> 12);
        bytes[at++] = 0x80 | ((point >> 6) & 0x3f);
      }
      bytes[at++] = 0x80 | (point & 0x3f);
    }
    return at;
  }
}
