import { BYTE_EOS, byteTokenizer } from "@drover/testkit";
import { describe, expect, it } from "vitest";
import type { InferenceRequest } from "../request/inference-request.ts";
import { ChoiceText } from "./choice-text.ts";

const START = 258;
const END = 259;
const tokenizer = byteTokenizer();
/** Bytes as tokens, and the two python marks. */
const marked = {
  ...tokenizer,
  specialId: (name: string) => ({ "<|python_start|>": START, "<|python_end|>": END, "<|eot|>": BYTE_EOS })[name],
};
const sampling = { minTokens: 0 } as InferenceRequest["sampling"];

/** What a choice gives for these texts and special tokens. */
function run(parts: readonly (string | number)[], stop: readonly string[], tools: readonly string[] | undefined) {
  const toolCalls = tools === undefined ? undefined : { names: tools, parallel: true };
  const choice = new ChoiceText(marked, { stop, sampling, toolCalls }, "0-1", 3);
  const ids = parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : [part]));
  const pieces = [];
  for (const [i, id] of ids.entries()) {
    const last = i === ids.length - 1;
    const piece = choice.push(id, last, last && id === BYTE_EOS);
    pieces.push(piece);
    if (piece.stopString !== undefined) break;
  }
  return {
    text: pieces.map(({ text }) => text).join(""),
    calls: pieces.flatMap(({ toolCalls }) => toolCalls),
    stopped: pieces.at(-1)?.stopString !== undefined,
    called: choice.called,
  };
}

/** What a choice shows of these texts and special tokens. */
function show(
  shown: Readonly<{ stop: boolean; special: boolean }>,
  parts: readonly (string | number)[],
  stop: string[],
) {
  const named = { ...marked, tokenText: (id: number) => (id >= 256 ? `<${id}>` : tokenizer.tokenText(id)) };
  const choice = new ChoiceText(named, { stop, sampling, toolCalls: undefined, shown }, "0-1", 0);
  const ids = parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : [part]));
  let text = "";
  for (const [i, id] of ids.entries()) {
    const isLast = i === ids.length - 1;
    const piece = choice.push(id, isLast, isLast && id === BYTE_EOS);
    text += piece.text;
    if (piece.stopString !== undefined) break;
  }
  return text;
}

describe("ChoiceText", () => {
  it("shows what ended it, and special tokens by their names, where it is asked to", () => {
    const eos = `<${BYTE_EOS}>`;
    for (const [stop, special, expected] of [
      [false, false, ["ab", "ab"]],
      [true, false, ["abST", "ab"]],
      [false, true, ["ab", `<${BYTE_EOS}>ab`]],
      [true, true, ["abST", `${eos}ab${eos}`]],
    ] as const) {
      expect(show({ stop, special }, ["abSTOP"], ["ST"]), `${stop} ${special}`).toBe(expected[0]);
      expect(show({ stop, special }, [BYTE_EOS, "ab", BYTE_EOS], [])).toBe(expected[1]);
    }
    // A character that a special token cuts is one no more.
    expect(show({ stop: false, special: true }, [0xc3, BYTE_EOS, "a"], [])).toBe(`\ufffd${eos}a`);
  });

  it("without tools gives the text as it is, silent about special tokens", () => {
    expect(run([START, "[f()]", END, BYTE_EOS], [], undefined)).toEqual({
      text: "[f()]",
      calls: [],
      stopped: false,
      called: false,
    });
  });

  it("finds a call without brackets only between the python marks", () => {
    const call = { id: "call_01030000", index: 0, name: "f", arguments: '{"a": 1}' };
    expect(run(["See: ", START, "f(a=1)", END, BYTE_EOS], [], ["f"])).toMatchObject({
      text: "See: ",
      calls: [call],
      called: true,
    });
    expect(run(["See: f(a=1)", BYTE_EOS], [], ["f"])).toMatchObject({ text: "See: f(a=1)", calls: [] });
  });

  it("a mark keeps its place in the text, also where a stop string may have begun before it", () => {
    for (const stop of [[], [")!"], [")g"], ["f(a=1)g"]]) {
      // Behind the end mark, g() has no brackets: it is text.
      expect(run([START, "f(a=1)", END, "\n", "g()", BYTE_EOS], stop, ["f", "g"])).toMatchObject({
        text: "\ng()",
        calls: [{ name: "f" }],
        stopped: false,
      });
    }
  });

  it("a stop string ends a call that it cuts, and leaves those before it", () => {
    expect(run(["[f()] [f(a='xy')]"], ["xy"], ["f"])).toMatchObject({
      text: " [f(a='",
      calls: [{ index: 0 }],
      stopped: true,
    });
  });

  it("a call without its last bracket is one where the model ended its turn, and text where something cut it off", () => {
    const written = "[f(a=1, b='x')";
    expect(run([written, BYTE_EOS], [], ["f"])).toMatchObject({ text: "", calls: [{ name: "f" }], called: true });
    expect(run([written], [], ["f"])).toMatchObject({ text: written, calls: [], called: false });
    expect(run([`${written}stop`], ["stop"], ["f"])).toMatchObject({ text: written, calls: [], stopped: true });
    expect(run([written, BYTE_EOS], [")]"], ["f"])).toMatchObject({ text: "", calls: [{ name: "f" }] });
    // The last byte is a stop token of the client's: it gives no text.
    const choice = new ChoiceText(
      marked,
      { stop: [], sampling, toolCalls: { names: ["f"], parallel: true } },
      "0-1",
      0,
    );
    const ids = [...new TextEncoder().encode(`${written}.`)];
    const pieces = ids.map((id, i) => choice.push(id, i === ids.length - 1, i === ids.length - 1));
    expect(pieces.map(({ text }) => text).join("")).toBe(written);
    expect(choice.called).toBe(false);
  });

  it("ends with what was held back", () => {
    expect(run(["Hm [f("], [], ["f"]).text).toBe("Hm [f(");
    expect(run(["Hm [f(", BYTE_EOS], ["(x"], ["f"]).text).toBe("Hm [f(");
  });
});
