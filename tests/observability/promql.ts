import type { SyntaxNode } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

export type Matcher = Readonly<{ label: string; operator: string; value: string }>;
/** `window`: what is asked for is a stretch of time, not the newest value. */
export type Selector = Readonly<{ metric: string; matchers: readonly Matcher[]; window: boolean }>;
/** Labels that a clause (`by`, `on`, `group_left`) names, and the metrics whose series it works on. */
export type Grouping = Readonly<{ labels: readonly string[]; metrics: readonly string[] }>;

/** What an expression asks for. */
export type Asked = Readonly<{ selectors: readonly Selector[]; groupings: readonly Grouping[] }>;

const COMPARISONS = new Set(["Eql", "Neq", "Lte", "Lss", "Gte", "Gtr"]);
const SETS = new Set(["And", "Or", "Unless"]);

/** Reads PromQL. Throws for what is not. */
export function read(expression: string): Asked {
  const root = tree(expression);
  const text = ({ from, to }: SyntaxNode) => expression.slice(from, to);
  const groupings = all(root, "GroupingLabels").map((node) => {
    const labels = all(node, "LabelName").map(text);
    // An aggregation's clause stands beside its body, a binary operation's beside its operands: both are in the parent's parent.
    const scope = node.parent?.parent ?? root;
    return { labels, metrics: all(scope, "VectorSelector").map((one) => selectorOf(one, text).metric) };
  });
  return { selectors: all(root, "VectorSelector").map((node) => selectorOf(node, text)), groupings };
}

/** The vectors that an alert compares or combines: each of them has series also while nothing is wrong, and the alert has none then. */
export function operands(expression: string): readonly string[] {
  const split = (node: SyntaxNode): SyntaxNode[] => {
    if (node.name === "ParenExpr") return node.firstChild ? split(node.firstChild) : [];
    if (node.name !== "BinaryExpr") return [node];
    const [left, right] = [node.firstChild, node.lastChild];
    for (let child = left?.nextSibling; child; child = child.nextSibling) {
      if (COMPARISONS.has(child.name) || SETS.has(child.name))
        return [left, right].flatMap((side) => (side ? split(side) : []));
    }
    return [node];
  };
  const root = tree(expression).firstChild;
  return (root ? split(root) : [])
    .filter((node) => all(node, "VectorSelector").length > 0)
    .map(({ from, to }) => expression.slice(from, to));
}

function tree(expression: string): SyntaxNode {
  const root = parser.parse(expression).topNode;
  root.cursor().iterate((node) => {
    if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${expression}`);
  });
  return root;
}

function selectorOf(node: SyntaxNode, text: (node: SyntaxNode) => string): Selector {
  const identifier = node.getChild("Identifier");
  const matchers = all(node, "UnquotedLabelMatcher").map((matcher) => {
    const [label, operator, value] = [matcher.getChild("LabelName"), matcher.getChild("MatchOp"), matcher.lastChild];
    if (!label || !operator || !value) throw new Error(`a matcher without its parts: ${text(matcher)}`);
    return { label: text(label), operator: text(operator), value: JSON.parse(text(value)) as string };
  });
  return { metric: identifier ? text(identifier) : "", matchers, window: node.parent?.name === "MatrixSelector" };
}

function all(node: SyntaxNode, name: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  const visit = (one: SyntaxNode) => {
    if (one.name === name) found.push(one);
    for (let child = one.firstChild; child; child = child.nextSibling) visit(child);
  };
  visit(node);
  return found;
}
