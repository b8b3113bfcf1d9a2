import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { BUILT_IN_TEMPLATE } from "./built-in-template.ts";
import { callStyleOf } from "./call-style.ts";
import { JinjaChatTemplate } from "./chat-template.ts";
import { repository } from "./testing/reference-data.ts";

const styleOf = (...templates: readonly (readonly [string, string])[]) =>
  callStyleOf(
    new JinjaChatTemplate(
      { templates: new Map(templates), variables: {} },
      { tokenizer: { specialId: () => undefined }, now: () => 0 },
    ),
  );

const calls = (call: string) =>
  `{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}${call}{% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}`;

it("is how the template repeats calls", () => {
  const nano = readFileSync(join(repository, "models/nano/chat_template.jinja"), "utf8");
  expect(styleOf(["default", nano])).toBe("python");
  expect(styleOf(["default", BUILT_IN_TEMPLATE])).toBe("json");
  expect(styleOf(["default", calls("[{{ c.function.name }}(a={{ c.function.arguments.a }})]")])).toBe("python");
  expect(styleOf(["default", calls('{"name": "{{ c.function.name }}"}')])).toBe("json");
});

it("is that of the template for tools, where there is one", () => {
  const python = calls("[{{ c.function.name }}()]");
  expect(styleOf(["default", BUILT_IN_TEMPLATE], ["tool_use", python])).toBe("python");
  expect(styleOf(["default", python], ["tool_use", BUILT_IN_TEMPLATE])).toBe("json");
});

it("is JSON where the template does not repeat calls, or takes none", () => {
  expect(styleOf(["default", "{{ messages[0].content }}"])).toBe("json");
  expect(styleOf(["default", "{{ raise_exception('no tools here') }}"])).toBe("json");
  expect(
    styleOf(["default", `{% if tools %}{{ raise_exception('none') }}{% endif %}${calls("[{{ c.function.name }}()]")}`]),
  ).toBe("python");
  expect(styleOf()).toBe("json");
});
