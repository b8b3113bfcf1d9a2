import { type DescField, type DescMessage, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { varintBytes, writeVarint } from "./varint.ts";

/**
 * What a field of a flat message holds: a number of 32 bits, one of 64, a list of numbers, bytes, or a text. Texts are read and written where they are ASCII,
 * and lists of others only where they are empty.
 */
type Kind = "uint32" | "uint64" | "uint32s" | "bytes" | "text" | "others";
type FlatField = Readonly<{ name: string; number: number; kind: Kind }>;

/** Writes the fields of a message in front of what else it holds, and reads them; undefined from either: protobuf-es has to do it. */
export type FlatMessage<D extends DescMessage> = Readonly<{
  /** A view of bytes that the next call writes to; the named field is left out, where one is named. */
  write(message: MessageShape<D>, without?: string): Uint8Array | undefined;
  read(bytes: Uint8Array): MessageShape<D> | undefined;
}>;

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const VARINT_BYTES_MAX = 10;
const UINT32_MAX = 2 ** 32 - 1;
const SCRATCH_BYTES = 1024;

/**
 * A quick way for messages of numbers, lists of numbers and bytes, which are exchanged many times a step: protobuf-es looks up what each field is
 * each time, which takes ten times as long. What it does not know (texts that are not ASCII, lists of others, fields of later builds, broken bytes) is left to
 * protobuf-es. Undefined for a schema that has anything else.
 */
export function flatMessage<D extends DescMessage>(schema: D): FlatMessage<D> | undefined {
  const fields: FlatField[] = [];
  for (const field of schema.fields) {
    const kind = kindOf(field);
    if (kind === undefined || field.number >= 16) return undefined;
    fields.push({ name: field.localName, number: field.number, kind });
  }
  const byNumber = new Map(fields.map((field) => [field.number, field]));
  const ordered = fields.toSorted((a, b) => a.number - b.number);
  const writer = new FieldWriter();
  return {
    write: (message, without) => writer.write(message as unknown as Fields, ordered, without),
    read: (bytes) =>
      new FieldReader(bytes).read(blank(schema.typeName, fields), byNumber) as MessageShape<D> | undefined,
  };
}

type Value = number | bigint | string | number[] | readonly unknown[] | Uint8Array | undefined;
type Fields = Record<string, Value>;

function kindOf(field: DescField): Kind | undefined {
  if (field.oneof !== undefined) return undefined;
  if (field.fieldKind === "enum") return "uint32";
  if (field.fieldKind === "list") return listKindOf(field);
  if (field.fieldKind !== "scalar") return undefined;
  if (field.scalar === ScalarType.UINT32) return "uint32";
  if (field.scalar === ScalarType.UINT64) return "uint64";
  if (field.scalar === ScalarType.BYTES) return "bytes";
  return field.scalar === ScalarType.STRING ? "text" : undefined;
}

function listKindOf(field: DescField & { fieldKind: "list" }): Kind | undefined {
  if (field.listKind !== "scalar") return "others";
  return field.scalar === ScalarType.UINT32 && field.packed ? "uint32s" : undefined;
}

const EMPTY = new Uint8Array(0);

/** A message as proto3 has it before anything is read. */
function blank(typeName: string, fields: readonly FlatField[]): Fields {
  const message: Fields = { $typeName: typeName };
  for (const { name, kind } of fields) {
    if (kind === "uint32") message[name] = 0;
    else if (kind === "uint64") message[name] = 0n;
    else if (kind === "uint32s" || kind === "others") message[name] = [];
    else message[name] = kind === "bytes" ? EMPTY : "";
  }
  return message;
}

class FieldWriter {
  #bytes = new Uint8Array(SCRATCH_BYTES);
  #end = 0;

  write(message: Fields, fields: readonly FlatField[], without: string | undefined): Uint8Array | undefined {
    if (message.$unknown !== undefined) return undefined;
    this.#end = 0;
    for (const { name, number, kind } of fields) {
      const value = message[name];
      if (name === without) continue;
      if (kind === "text") {
        if (!this.#text(number, value as string)) return undefined;
      } else if (kind === "others") {
        if ((value as readonly unknown[]).length > 0) return undefined;
      } else if (kind === "uint32s") this.#list(number, value as number[]);
      else if (kind === "bytes") this.#run(number, value as Uint8Array);
      else if (!this.#number(number, value as number | bigint)) return undefined;
    }
    return this.#bytes.subarray(0, this.#end);
  }

  /** False for a number that is not exact as one of JavaScript's, or negative. */
  #number(field: number, value: number | bigint): boolean {
    if (value === 0 || value === 0n) return true;
    const exact = Number(value);
    if (exact < 0 || exact > Number.MAX_SAFE_INTEGER) return false;
    this.#room(1 + VARINT_BYTES_MAX);
    this.#bytes[this.#end++] = (field << 3) | VARINT;
    this.#varint(exact);
    return true;
  }

  #list(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    let byteCount = 0;
    for (const value of values) byteCount += varintBytes(value);
    this.#room(1 + VARINT_BYTES_MAX + byteCount);
    this.#bytes[this.#end++] = (field << 3) | LENGTH_DELIMITED;
    this.#varint(byteCount);
    for (const value of values) this.#varint(value);
  }

  #run(field: number, value: Uint8Array): void {
    if (value.length === 0) return;
    this.#room(1 + VARINT_BYTES_MAX + value.length);
    this.#bytes[this.#end++] = (field << 3) | LENGTH_DELIMITED;
    this.#varint(value.length);
    this.#bytes.set(value, this.#end);
    this.#end += value.length;
  }

  /** False for a text that is not ASCII, of which the beginning is written. */
  #text(field: number, value: string): boolean {
    const { length } = value;
    if (length === 0) return true;
    this.#room(1 + VARINT_BYTES_MAX + length);
    this.#bytes[this.#end++] = (field << 3) | LENGTH_DELIMITED;
    this.#varint(length);
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#bytes[this.#end++] = code;
    }
    return true;
  }

  #varint(value: number): void {
    this.#end = writeVarint(this.#bytes, this.#end, value);
  }

  #room(byteCount: number): void {
    if (this.#end + byteCount <= this.#bytes.length) return;
    const more = new Uint8Array(2 * (this.#end + byteCount));
    more.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = more;
  }
}

class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  read(message: Fields, byNumber: ReadonlyMap<number, FlatField>): Fields | undefined {
    while (this.#at < this.#bytes.length) {
      const tag = this.#varint();
      // Of a field below 16, whose tag is one byte.
      const field = tag < 0x80 ? byNumber.get(tag >>> 3) : undefined;
      if (field === undefined || !this.#field(message, field, tag & 7)) return undefined;
    }
    return message;
  }

  /** False for what protobuf-es has to read. */
  #field(message: Fields, { name, kind }: FlatField, wireType: number): boolean {
    if (kind === "uint32" || kind === "uint64") {
      const value = wireType === VARINT ? this.#varint() : Number.NaN;
      if (!(value <= (kind === "uint32" ? UINT32_MAX : Number.MAX_SAFE_INTEGER))) return false;
      message[name] = kind === "uint32" ? value : BigInt(value);
      return true;
    }
    const length = wireType === LENGTH_DELIMITED ? this.#varint() : Number.NaN;
    const end = this.#at + length;
    if (!(end <= this.#bytes.length)) return false;
    if (kind === "uint32s") return this.#list(message[name] as number[], end);
    if (kind === "text") return this.#text(message, name, end);
    if (kind === "others") return false;
    message[name] = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return true;
  }

  /** False for a text that is not ASCII. */
  #text(message: Fields, name: string, end: number): boolean {
    for (let at = this.#at; at < end; at++) if ((this.#bytes[at] as number) >= 0x80) return false;
    const { buffer, byteOffset } = this.#bytes;
    message[name] = Buffer.from(buffer, byteOffset + this.#at, end - this.#at).toString("latin1");
    this.#at = end;
    return true;
  }

  #list(values: number[], end: number): boolean {
    while (this.#at < end) {
      const value = this.#varint();
      if (!(value <= UINT32_MAX)) return false;
      values.push(value);
    }
    return this.#at === end;
  }

  /** NaN where it is cut off or no exact number. */
  #varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < VARINT_BYTES_MAX; count++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
      scale *= 0x80;
    }
    return Number.NaN;
  }
}
