import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, test } from "vitest";
import { KUBERNETES_VERSIONS } from "../../scripts/deploy-tools/versions.ts";
import { CHART, PROFILES, profilePath, renderChart } from "./chart.ts";
import { ChartCopy } from "./chart-copy.ts";
import { readObjects } from "./cluster/objects.ts";
import { conform, hasDeployTools, NEEDED, REPOSITORY, runTool } from "./tools.ts";

const EVERYTHING = "tests/deploy/testdata/everything.yaml";
const MANIFEST = "deploy/kubernetes.yaml";
const NANO = "values-nano.yaml";
/** Values by what they are for: each profile, the defaults alone, and every switch on. */
const CASES = [
  ...PROFILES.map((profile) => [profile, [profilePath(profile)]] as const),
  ["the defaults", []] as const,
  ["every switch", [EVERYTHING]] as const,
];

const lint = (chart: string, values: readonly string[]) =>
  runTool("helm", ["lint", "--strict", chart, ...values.flatMap((file) => ["-f", file])]);

describe.skipIf(!hasDeployTools)(`the chart (${NEEDED})`, () => {
  test("has the profiles that it is said to have", () => {
    const scout = ["scout-h100", "scout-h200"];
    const maverick = ["maverick-2xh200", "maverick-8xh200", "maverick-8xh100", "maverick-2x8xh100-1m"];
    const gpus = [...scout, ...maverick].map((name) => `values-${name}.yaml`);
    expect(PROFILES).toEqual([...gpus, NANO].sort());
  });

  describe.each(CASES)("with %s", (_, values) => {
    test("is without a finding of helm lint --strict", async () => {
      const { ok, stdout, stderr } = await lint(CHART, values);
      expect(stdout + stderr).toContain("1 chart(s) linted, 0 chart(s) failed");
      expect(ok).toBe(true);
    });

    test.each(KUBERNETES_VERSIONS)("renders what Kubernetes %s knows, field by field", async (kubernetes) => {
      const rendered = await renderChart({ values, kubernetes, withTests: true });
      const { ok, stdout, stderr } = await conform(rendered, kubernetes);
      expect(stdout + stderr).toContain("Invalid: 0, Errors: 0, Skipped: 0");
      expect(ok).toBe(true);
      const count = Number(/Valid: (\d+)/.exec(stdout)?.[1]);
      expect(count).toBe(readObjects(rendered).length);
      expect(count).toBeGreaterThan(10);
    });
  });

  test("a field that Kubernetes does not know is found, in its own objects and in custom resources", async () => {
    let rendered = await renderChart({ values: [EVERYTHING] });
    const plants: readonly (readonly [string, string])[] = [
      ["terminationGracePeriodSeconds:", "terminationGraceSeconds:"],
      ["podMetricsEndpoints:", "metricsEndpoints:"],
      ["parentRefs:", "parents:"],
    ];
    for (const [field, wrong] of plants) {
      expect(rendered).toContain(field);
      rendered = rendered.replace(field, wrong);
    }
    const { ok, stdout } = await conform(rendered, "1.37");
    for (const [, wrong] of plants) expect(stdout).toContain(wrong.slice(0, -1));
    expect(ok).toBe(false);
  });

  test("a template that does not render, and a value of a wrong name, fail", async () => {
    using copy = new ChartCopy();
    const nano = copy.path(NANO);
    copy.edit(NANO, (text) => `${text}\nrouterr: {replicas: 2}\n`);
    expect((await lint(copy.folder, [nano])).ok).toBe(false);
    await expect(renderChart({ chart: copy.folder, values: [nano] })).rejects.toThrow(/routerr/);
    copy.edit(NANO, (text) => text.replace("routerr: {replicas: 2}", ""));
    expect((await lint(copy.folder, [nano])).ok).toBe(true);
    copy.edit("templates/router-service.yaml", (text) => `${text}\n{{ .Values.no.such.value }}\n`);
    expect((await lint(copy.folder, [nano])).ok).toBe(false);
  });

  test("holds its own unit tests", async () => {
    const { ok, stdout, stderr } = await runTool("helm-unittest", ["--strict", CHART]);
    const counts = /Tests: +(?:(\d+) failed, )?(\d+) passed, (\d+) total/.exec(stripVTControlCharacters(stdout));
    expect(ok, stdout + stderr).toBe(true);
    expect(counts?.[2]).toBe(counts?.[3]);
    expect(Number(counts?.[2])).toBeGreaterThan(20);
    process.stdout.write(`helm-unittest: ${counts?.[2]} passed\n`);
  });

  test("its unit tests fail where a template changes", async () => {
    using copy = new ChartCopy();
    copy.edit("templates/router-service.yaml", (text) => text.replace("kind: Service", "kind: Servant"));
    const { ok, stdout } = await runTool("helm-unittest", ["--strict", "-f", "tests/objects_test.yaml", copy.folder]);
    expect(ok).toBe(false);
    expect(stdout).toContain("Servant");
  });

  test("is rendered with the nano profile in deploy/kubernetes.yaml, byte for byte", async () => {
    const rendered = await renderChart({ values: [profilePath(NANO)] });
    expect(rendered).toBe(readFileSync(join(REPOSITORY, MANIFEST), "utf8"));
  });
});
