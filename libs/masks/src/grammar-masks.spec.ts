import { join } from "node:path";
import type { DroverError, MaskCursor } from "@drover/core";
import { choiceGrammar, regexGrammar, schemaGrammar } from "@drover/grammar";
import { loadTokenizer } from "@drover/tokenizer";
import { afterAll, describe, expect, it } from "vitest";
import { GrammarMasks } from "./grammar-masks.ts";

const MODEL = join(import.meta.dirname, "../../../models/nano");
const tokenizer = await loadTokenizer(MODEL);
const { vocabSize } = tokenizer;
const stop = tokenizer.specialId("<|eot|>") ?? 0;
const masks = new GrammarMasks({ modelDirectory: MODEL, vocabSize });
afterAll(() => masks[Symbol.asyncDispose]());

/** A cursor, and what becomes of it. */
class Opened {
  readonly cursor: MaskCursor;
  #wake = Promise.withResolvers<DroverError | undefined>();

  constructor(grammar: string, tokenIds: readonly number[]) {
    const stopTokenIds = [stop];
    const onReady = () => this.#wake.resolve(undefined);
    const onFault = (fault: DroverError) => this.#wake.resolve(fault);
    this.cursor = masks.open({ grammar, stopTokenIds, tokenIds, onFault, onReady });
  }

  /** Waits for the next mask; returns the fault that comes instead. */
  async next(): Promise<DroverError | undefined> {
    const fault = await this.#wake.promise;
    this.#wake = Promise.withResolvers();
    return fault;
  }

  get allowed(): number[] {
    const words = this.cursor.allowed ?? new Uint32Array();
    return Array.from({ length: vocabSize }, (_, id) => id).filter((id) => ((words[id >>> 5] ?? 0) >>> (id & 31)) & 1);
  }

  async accept(tokenId: number): Promise<DroverError | undefined> {
    this.cursor.accept(tokenId);
    expect(this.cursor.allowed).toBeUndefined();
    return this.next();
  }
}

async function opened(grammar: string, tokenIds: readonly number[] = []): Promise<Opened> {
  const one = new Opened(grammar, tokenIds);
  expect(await one.next()).toBeUndefined();
  return one;
}

/** Writes at random until the stop token is drawn, or `tokensMax` are written. Returns the tokens and whether it ended. */
async function written(one: Opened, seed: number, tokensMax: number): Promise<readonly [number[], boolean]> {
  let state = seed;
  const tokens: number[] = [];
  while (tokens.length < tokensMax) {
    const { allowed } = one;
    state = (state * 48_271) % 2_147_483_647;
    const ends = allowed.includes(stop) && tokens.length > 8;
    const closing = allowed.filter((id) => /["}\]]/.test(tokenizer.tokenText(id)));
    const from = tokens.length > 30 && closing.length > 0 ? closing : allowed;
    const id = ends ? stop : from[state % from.length];
    if (id === undefined || id === stop) return [tokens, true];
    tokens.push(id);
    expect(await one.accept(id)).toBeUndefined();
  }
  return [tokens, false];
}

describe("a grammar's masks", () => {
  it("allow what goes on to a text of the grammar, and the end only where one is whole", async () => {
    const one = await opened(choiceGrammar(["yes", "no"], "f"));
    const firsts = one.allowed.map((id) => tokenizer.tokenText(id));
    expect(firsts.every((text) => "yes".startsWith(text) || "no".startsWith(text))).toBe(true);
    for (const id of tokenizer.encode("no")) expect(await one.accept(id)).toBeUndefined();
    expect(one.allowed).toEqual([stop]);
    one.cursor[Symbol.dispose]();
  });

  it("are the same for a cursor that is opened behind tokens as for the one that accepted them", async () => {
    const grammar = schemaGrammar({ type: "object", properties: { a: { type: "string", maxLength: 40 } } }, "f");
    const one = await opened(grammar);
    const [tokens] = await written(one, 7, 6);
    const other = await opened(grammar, tokens);
    expect(other.allowed).toEqual(one.allowed);
    one.cursor[Symbol.dispose]();
    other.cursor[Symbol.dispose]();
  });

  it("keep to counts that XGrammar is not told", async () => {
    const schema = {
      type: "array",
      items: { type: "string", minLength: 18, maxLength: 25 },
      minItems: 2,
      maxItems: 20,
    };
    const grammar = schemaGrammar(schema, "f");
    for (const seed of [1, 2, 3]) {
      const one = await opened(grammar);
      const [tokens, ended] = await written(one, seed, 400);
      one.cursor[Symbol.dispose]();
      if (!ended) continue;
      const value: unknown = JSON.parse(tokenizer.decode(tokens));
      expect(Array.isArray(value) && value.length >= 2 && value.length <= 20).toBe(true);
      for (const item of Array.isArray(value) ? value : []) {
        expect(Array.from(String(item)).length).toBeGreaterThanOrEqual(18);
        expect(Array.from(String(item)).length).toBeLessThanOrEqual(25);
      }
    }
  });

  it("spell no text that is not valid Unicode", async () => {
    const one = await opened(regexGrammar("[^a]{1,60}", "f"));
    const fragments = (allowed: readonly number[]) =>
      allowed.filter((id) => tokenizer.decode([id]).includes("\ufffd") && !tokenizer.isSpecial(id));
    const tokens: number[] = [];
    for (let i = 0; i < 40; i++) {
      const some = fragments(one.allowed);
      const id = (some.length > 0 ? some : one.allowed.filter((other) => other !== stop))[i % 5];
      if (id === undefined) break;
      tokens.push(id);
      expect(await one.accept(id)).toBeUndefined();
    }
    const whole = tokenizer.decode(tokens);
    expect(whole.replace(/\ufffd$/, "")).not.toContain("\ufffd");
    one.cursor[Symbol.dispose]();
  });

  it("are refused as an invalid argument where the output so far does not match", async () => {
    const one = new Opened(choiceGrammar(["yes"], "f"), [...tokenizer.encode("no")]);
    expect(await one.next()).toMatchObject({ code: "invalid_argument" });
  });

  it("are made for many cursors at once, each its own", async () => {
    const many = await Promise.all(Array.from({ length: 12 }, (_, i) => opened(regexGrammar(`${i % 10}[0-9]+`, "f"))));
    for (const [i, one] of many.entries()) {
      expect(one.allowed.map((id) => tokenizer.tokenText(id)[0])).toEqual(one.allowed.map(() => String(i % 10)));
      one.cursor[Symbol.dispose]();
    }
  });
});
