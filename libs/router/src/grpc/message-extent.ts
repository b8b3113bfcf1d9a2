import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { DroverError } from "@drover/core";
import { MESSAGE_VALUES_MAX } from "../limits.ts";

/**
 * Refuses a message of too many values before it is parsed: texts, bytes and messages are counted, as in JSON; numbers are not, which take no time
 * in a packed list. Errors: `invalid_argument`; and whatever the reader throws for bytes that are no message.
 */
export function checkMessageExtent(schema: DescMessage, bytes: Uint8Array): void {
  count(schema, new BinaryReader(bytes), bytes.byteLength, 0);
}

/** Counts on until the reader stands at `end`; the new count. */
function count(schema: DescMessage, reader: BinaryReader, end: number, before: number): number {
  let valueCount = before;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number);
      continue;
    }
    valueCount += 1;
    if (valueCount > MESSAGE_VALUES_MAX)
      throw new DroverError(
        "invalid_argument",
        `the message may hold at most ${MESSAGE_VALUES_MAX} values besides numbers`,
      );
    const part = messageIn(schema.fields.find((field) => field.number === number));
    if (part === undefined) reader.skip(wireType, number);
    else {
      const byteCount = reader.uint32();
      valueCount = count(part, reader, reader.pos + byteCount, valueCount);
    }
  }
  return valueCount;
}

/** What the entries of a field are, where they are messages; entries of a map of numbers hold nothing to count. */
function messageIn(field: DescField | undefined): DescMessage | undefined {
  return field?.fieldKind === "message" || (field?.fieldKind === "list" && field.listKind === "message")
    ? field.message
    : undefined;
}
