import { type Environment, Template } from "@huggingface/jinja";
import { JOINED_CHARACTERS_MAX } from "./limits.ts";
import { pythonText } from "./python-text.ts";
import { argumentsOf, FILTERS, modulo, range, STRIPS } from "./template-filters.ts";
import { functionValue, stringValue, type TemplateValue } from "./template-values.ts";
import { markTrusted } from "./trusted-marks.ts";

/** A node of the interpreter's tree, as far as it is read here. */
type TreeNode = { type: string } & Record<string, unknown>;

/** Statements; any other node in a body is an expression whose value is written. */
const STATEMENTS = new Set([
  ...["Set", "If", "For", "Macro", "CallStatement", "FilterStatement", "Break", "Continue", "Comment"],
  "StringLiteral",
]);
const BODIES = new Set(["body", "alternate", "defaultBlock"]);

/** Names that no template can write, for the functions below. */
const WRITE = "|write";
const JOIN = "|join";
const MODULO = "|modulo";
const filterName = (name: string) => `|filter ${name}`;
const methodName = (name: string) => `|method ${name}`;

/**
 * Parses a template and rewrites its tree, so that it writes what the reference would: values as Python's text, filters by name, literals with
 * their delimiters marked as the template's own. Throws what the parser throws.
 */
export function lowerTemplate(source: string): Template["parsed"] {
  const { parsed } = new Template(source);
  lower(parsed as unknown as TreeNode);
  return parsed;
}

/** Declares what a rewritten template calls. */
export function declareLowered(environment: Environment): void {
  const declare = (name: string, call: (args: readonly TemplateValue[]) => TemplateValue) =>
    environment.setVariable(name, functionValue(call));
  declare(WRITE, ([value]) => stringValue(textOf(value)));
  declare(JOIN, ([left, right]) => stringValue(joined(textOf(left), textOf(right))));
  declare(MODULO, ([left, right]) => modulo(needed(left), needed(right)));
  declare("range", range);
  for (const [name, filter] of Object.entries(FILTERS))
    declare(filterName(name), ([value, ...rest]) => filter(needed(value), argumentsOf(rest)));
  for (const [name, strip] of Object.entries(STRIPS)) {
    declare(methodName(name), ([value, ...rest]) => {
      if (value?.type !== "StringValue") throw new Error(`${name} is a method of strings`);
      return stringValue(strip(textOf(value), argumentsOf(rest)));
    });
  }
}

function lower(node: TreeNode): void {
  for (const [name, child] of Object.entries(node)) {
    if (Array.isArray(child)) {
      node[name] = child.map((item) => {
        const lowered = lowerValue(item);
        return BODIES.has(name) && isNode(lowered) && !STATEMENTS.has(lowered.type)
          ? callOf(WRITE, [lowered])
          : lowered;
      });
    } else if (child instanceof Map) {
      node[name] = new Map([...child].map(([key, value]) => [lowerValue(key), lowerValue(value)]));
    } else node[name] = lowerValue(child);
  }
}

function lowerValue(value: unknown): unknown {
  if (!isNode(value)) return value;
  lower(value);
  return rewritten(value);
}

function rewritten(node: TreeNode): TreeNode {
  if (node.type === "StringLiteral") return { ...node, value: markTrusted(String(node.value)) };
  if (node.type === "BinaryExpression" && isNode(node.operator)) {
    if (node.operator.value === "~") return callOf(JOIN, [node.left, node.right]);
    if (node.operator.value === "%") return callOf(MODULO, [node.left, node.right]);
  }
  if (node.type === "FilterExpression" && isNode(node.filter)) {
    const { filter } = node;
    const called = filter.type === "CallExpression" ? filter.callee : filter;
    const args = filter.type === "CallExpression" && Array.isArray(filter.args) ? filter.args : [];
    if (isNode(called) && Object.hasOwn(FILTERS, String(called.value)))
      return callOf(filterName(String(called.value)), [node.operand, ...args]);
  }
  if (node.type === "CallExpression" && isNode(node.callee) && node.callee.type === "MemberExpression") {
    const { object, property, computed } = node.callee;
    const isMethod = computed === false && isNode(property) && Object.hasOwn(STRIPS, String(property.value));
    if (isMethod && Array.isArray(node.args)) return callOf(methodName(String(property.value)), [object, ...node.args]);
  }
  return node;
}

function callOf(name: string, args: readonly unknown[]): TreeNode {
  return { type: "CallExpression", callee: { type: "Identifier", value: name }, args };
}

function isNode(value: unknown): value is TreeNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function textOf(value: TemplateValue | undefined): string {
  return value === undefined ? "" : pythonText(value);
}

function joined(left: string, right: string): string {
  if (left.length + right.length > JOINED_CHARACTERS_MAX) throw new Error("a text grows too long");
  return left + right;
}

function needed(value: TemplateValue | undefined): TemplateValue {
  if (value === undefined) throw new Error("a value is missing");
  return value;
}
