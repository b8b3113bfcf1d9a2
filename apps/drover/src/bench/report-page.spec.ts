import { expect, test } from "vitest";
import { type LoadReport, reportJson, reportText } from "./load-report.ts";
import { summarize } from "./load-summary.ts";
import type { Sample } from "./load-target.ts";
import { reportPage } from "./report-page.ts";

const sample: Sample = { beginMs: 5, endMs: 135, pieceMs: [105, 135], promptTokens: 8, outputTokens: 2 };
const failed: Sample = { ...sample, pieceMs: [], outputTokens: 0, error: "<b>no</b>" };
const measured = (server: string, samples: Sample[]) => ({
  level: { kind: "concurrency", inFlight: 4 } as const,
  server,
  rounds: [summarize(samples, {})],
  samples,
});
const report: LoadReport = {
  model: "na<no",
  seed: 7,
  servers: [
    { name: "this", url: "http://a" },
    { name: "other", url: "http://b" },
  ],
  goal: { ttft: 200 },
  measured: [measured("this", [sample]), measured("other", [failed])],
  clientPauseMs: 1,
  stopped: false,
};

test("the table has a row for each server, with its failures by reason", () => {
  const text = reportText(report);
  expect(text).toMatch(/^4 at once +this +15\.4 /m);
  expect(text).toMatch(/^4 at once +other +0\.00 +0\.00 +none/m);
  expect(text).toContain("1 failed at 4 at once, other: <b>no</b>");
  expect(text).toContain("Good: answered within ttft 200 ms.");
});

test("the page has the table and plots, nothing from elsewhere, and no markup of others", () => {
  const page = reportPage(report);
  expect(page).toContain("na&lt;no");
  expect(page).not.toMatch(/<b>|https?:|src=|NaN|undefined/);
  expect(page.match(/<svg /g)).toHaveLength(5);
});

test("JSON has every request's times from its beginning", () => {
  const { levels } = JSON.parse(reportJson(report));
  expect(levels[0].requests).toEqual([
    { beginMs: 0, endMs: 130, pieceMs: [100, 130], promptTokens: 8, outputTokens: 2 },
  ]);
  expect(levels[1].median.failed).toBe(1);
});
