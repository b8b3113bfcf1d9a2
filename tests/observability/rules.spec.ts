import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { hasPrometheus } from "./prometheus.ts";
import { read } from "./promql.ts";
import { alerts, dashboards, panelQueries, RULES_FOLDER, ruleFiles, ruleQueries } from "./shown-queries.ts";

type AlertTest = Readonly<{ alertname: string; exp_alerts?: readonly unknown[] }>;
type RuleTests = Readonly<{ tests: readonly Readonly<{ alert_rule_test?: readonly AlertTest[] }>[] }>;

const TESTS = join(import.meta.dirname, "rules.test.yaml");
const RUNBOOK = readFileSync(join(import.meta.dirname, "../../docs/runbook.md"), "utf8");
const COUNTER = /_(total|count|sum|bucket)$/;

const run = promisify(execFile);
const tested = (parse(readFileSync(TESTS, "utf8")) as RuleTests).tests.flatMap((one) => one.alert_rule_test ?? []);

describe("rules", () => {
  test.skipIf(!hasPrometheus)("hold their own tests (needs promtool)", async () => {
    const files = [...ruleFiles().keys()].map((name) => join(RULES_FOLDER, name));
    await run("promtool", ["check", "rules", "--lint-fatal", ...files]);
    const { stderr, stdout } = await run("promtool", ["test", "rules", TESTS]);
    expect(stdout + stderr).toContain("SUCCESS");
  });

  test.each(alerts())("$alert is seen to fire and not to fire", ({ alert }) => {
    const cases = tested.filter(({ alertname }) => alertname === alert);
    expect(cases.some(({ exp_alerts = [] }) => exp_alerts.length > 0)).toBe(true);
    expect(cases.some(({ exp_alerts = [] }) => exp_alerts.length === 0)).toBe(true);
  });

  test.each(alerts())(
    "$alert says what is wrong, how bad it is, and where to read on",
    ({ alert, labels, annotations }) => {
      expect(labels.severity).toMatch(/^(critical|warning)$/);
      expect(annotations.summary).toBeTruthy();
      expect(annotations.description).toBeTruthy();
      expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
      expect(RUNBOOK).toContain(`\n## ${alert}\n`);
    },
  );

  test("no panel and no rule shows what has been counted since a start: only what was counted in a window", () => {
    const queries = [...dashboards().flatMap((one) => panelQueries(one, { layer: "1" })), ...ruleQueries()];
    const raw = queries.filter(({ expr }) =>
      read(expr).selectors.some(({ metric, window }) => COUNTER.test(metric) && !window),
    );
    expect(raw).toEqual([]);
  });
});
