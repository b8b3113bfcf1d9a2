import type { Segment, Tokenizer } from "@drover/tokenizer";

const MARK = /(<\|[^|<>]{1,100}\|>)/;

/** A text that its author rendered with the model's own marks: those that name special tokens become them, all else is text. */
export function markedSegments(text: string, tokenizer: Pick<Tokenizer, "specialId">): Segment[] {
  const segments: Segment[] = [];
  let plain = "";
  for (const part of text.split(MARK)) {
    const id = part.startsWith("<|") ? tokenizer.specialId(part) : undefined;
    if (id === undefined) {
      plain += part;
      continue;
    }
    if (plain !== "") segments.push({ kind: "text", text: plain });
    segments.push({ kind: "special", id });
    plain = "";
  }
  if (plain !== "") segments.push({ kind: "text", text: plain });
  return segments;
}

/** Whether a text holds what looks like a special token's name. */
export const looksMarked = (text: string): boolean => MARK.test(text);
