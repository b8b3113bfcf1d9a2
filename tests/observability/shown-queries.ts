import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Dashboard } from "@grafana/schema";
import { parse } from "yaml";
import { operands } from "./promql.ts";

const FILES = join(import.meta.dirname, "../../helm/drover/files");
export const RULES_FOLDER = join(FILES, "rules");

/** A query as somebody will ask it, and where it stands. `legend`: labels that its series must have. */
export type ShownQuery = Readonly<{ where: string; expr: string; legend: readonly string[] }>;

export type Alert = Readonly<{
  alert: string;
  expr: string;
  for?: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
}>;
type Recording = Readonly<{ record: string; expr: string }>;
type RuleFile = Readonly<{ groups: readonly Readonly<{ name: string; rules: readonly (Alert | Recording)[] }>[] }>;

type Target = Readonly<{ refId: string; expr: string; legendFormat?: string }>;

/** What Grafana puts in the place of its variables where everything is chosen, and for the window of a rate. */
const CHOSEN: Readonly<Record<string, string>> = {
  cluster: ".*",
  namespace: ".*",
  worker: ".+",
  __rate_interval: "20s",
};

export function dashboards(): readonly Dashboard[] {
  const folder = join(FILES, "dashboards");
  return readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Dashboard);
}

export function ruleFiles(): ReadonlyMap<string, RuleFile> {
  return new Map(
    readdirSync(RULES_FOLDER).map((name) => [name, parse(readFileSync(join(RULES_FOLDER, name), "utf8")) as RuleFile]),
  );
}

export const alerts = (): readonly Alert[] => rules().filter((rule) => "alert" in rule);

const rules = () => [...ruleFiles().values()].flatMap(({ groups }) => groups.flatMap((group) => group.rules));

/** All queries of a dashboard, its variables chosen: `variables` are those beside cluster, namespace and worker. */
export function panelQueries(dashboard: Dashboard, variables: Readonly<Record<string, string>>): readonly ShownQuery[] {
  const chosen = { ...CHOSEN, ...variables };
  return (dashboard.panels ?? []).flatMap((panel) => {
    const targets = ("targets" in panel ? (panel.targets ?? []) : []) as unknown as readonly Target[];
    return targets.map(({ refId, expr, legendFormat = "" }) => ({
      where: `${dashboard.title}: ${panel.title} (${refId})`,
      expr: choose(expr, chosen),
      legend: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
    }));
  });
}

/** The choices that a dashboard offers: for each, a metric with its filters and the label whose values are shown. */
export function choices(dashboard: Dashboard): readonly Readonly<{ name: string; selector: string; label: string }>[] {
  return (dashboard.templating?.list ?? []).flatMap(({ name, query }) => {
    const text = typeof query === "object" ? String(query.query) : "";
    const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(text) ?? [];
    return selector === undefined || label === undefined ? [] : [{ name, selector: choose(selector, CHOSEN), label }];
  });
}

/** What rules ask for: recordings whole, and of alerts what they compare, because a healthy cluster has no alert. */
export function ruleQueries(): readonly ShownQuery[] {
  return rules().flatMap((rule) => {
    if ("record" in rule) return [rule.expr, rule.record].map((expr) => ({ where: rule.record, expr, legend: [] }));
    return operands(rule.expr).map((expr) => ({ where: rule.alert, expr, legend: [] }));
  });
}

const choose = (text: string, chosen: Readonly<Record<string, string>>): string =>
  text.replaceAll(/\$(\w+)/g, (variable, name: string) => chosen[name] ?? variable);
