import fc from "fast-check";
import { expect, test } from "vitest";
import { moduleRule } from "./module-rule.ts";

const fail = (what: string): never => {
  throw new Error(what);
};

const QUERY = "language_model.model.layers.12.self_attn.q_proj";
const OUTPUT = "language_model.model.layers.12.self_attn.o_proj";
const EXPERT = "language_model.model.layers.3.feed_forward.experts.7.down_proj";
const HEAD = "language_model.lm_head";

test.each<[rule: string, matched: readonly string[]]>([
  ["re:.*lm_head", [HEAD]],
  ["re:.*self_attn.*", [QUERY, OUTPUT]],
  ["re:.*self_attn", [QUERY, OUTPUT]],
  ["re:.*self_attn$", []],
  ["re:self_attn", []],
  ["re:.*\\.(q|k|v)_proj$", [QUERY]],
  ["re:.*(?:q_proj|o_proj)", [QUERY, OUTPUT]],
  ["re:^language_model\\.model\\.layers\\.\\d+\\.self_attn\\.[qkvo]_proj$", [QUERY, OUTPUT]],
  ["re:language_model.model.layers.[0-9].feed_forward.*", [EXPERT]],
  ["re:.*layers\\.(1[0-9]|2\\d)\\..*", [QUERY, OUTPUT]],
  ["re:.*layers.\\d{2}.*", [QUERY, OUTPUT]],
  ["re:.*experts.[^0-6]+.(gate|up|down)_proj", [EXPERT]],
  ["re:(.*router|.*lm_head)$", [HEAD]],
  ["re:.*?q_proj", [QUERY]],
  ["lm_head", [HEAD]],
  ["*self_attn*", [QUERY, OUTPUT]],
  ["model.layers.12.*", [QUERY, OUTPUT]],
])("the rule %s is of the modules that Python finds", (rule, matched) => {
  const isOf = moduleRule(rule, fail);
  expect([QUERY, OUTPUT, EXPERT, HEAD].filter((path) => isOf(path))).toEqual(matched);
});

test.each([
  ["re:(?!.*vision).*", "a lookaround"],
  ["re:(?P<name>a)", "a named group"],
  ["re:(a)\\1", "\\1"],
  ["re:(a", "a bracket that is not closed"],
  ["re:a)", "a bracket that closes nothing"],
  ["re:*a", "a repetition of nothing"],
  ["re:a**", "a repetition of a repetition"],
  ["re:[z-a]", "a range that has no end"],
  ["re:[a", "an end in its middle"],
  ["re:\\", "an end in its middle"],
  ["re:a{3,2}", "{3,2}"],
  [`re:${"(".repeat(40)}`, "groups deeper"],
  ["re:((((a{99}){99}){99}){99})", "repeats too much"],
])("the pattern %s is refused by what is not known of it", (rule, what) => {
  expect(() => moduleRule(rule, fail)).toThrow(what);
});

test("a pattern that takes others exponential time is followed in time that grows with the path", () => {
  expect(moduleRule("re:(a*)*(a|a)*(a+)+b$", fail)("a".repeat(400))).toBe(false);
});

/** Patterns that mean the same to Python and to JavaScript. */
const pattern = fc.letrec<{ node: string }>((tie) => ({
  node: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom("a", "b", ".", "\\.", "[ab]", "[^a]", "\\w", "\\d"),
    fc.tuple(tie("node"), tie("node")).map((parts) => parts.join("")),
    fc.tuple(tie("node"), tie("node")).map((parts) => `(?:${parts.join("|")})`),
    fc
      .tuple(tie("node"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,1}"))
      .map(([part, often]) => `(?:${part})${often}`),
  ),
})).node;

test("a pattern is of the texts that the language's own engine finds it at the beginning of", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "1"), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, fc.boolean(), (source, path, toItsEnd) => {
      const whole = `(?:${source})${toItsEnd ? "$" : ""}`;
      expect(moduleRule(`re:${whole}`, fail)(path)).toBe(new RegExp(`^(?:${whole})`).test(path));
    }),
    { numRuns: 200 },
  );
});
