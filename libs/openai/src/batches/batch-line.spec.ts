import { expect, it } from "vitest";
import { answeredLine, unansweredLine } from "./batch-line.ts";

/** What Python's str.splitlines takes for the end of a line. */
const ENDS = "\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029";

it("a line of a batch's file is one to every reader of lines, whatever it holds", () => {
  const text = "a\u0085\u2028\u2029\v\f\u001c\u001d\u001eb";
  const answered = answeredLine("batch_req_1", text, 200, JSON.stringify({ text }));
  const unanswered = unansweredLine("batch_req_1", text, "batch_expired", text);
  for (const line of [answered, unanswered]) {
    expect([...line].filter((char) => ENDS.includes(char))).toEqual(["\n"]);
    expect(line.endsWith("\n")).toBe(true);
    expect(JSON.parse(line)).toMatchObject({ custom_id: text });
  }
  expect(JSON.parse(answered)).toMatchObject({ response: { status_code: 200, body: { text } } });
});
