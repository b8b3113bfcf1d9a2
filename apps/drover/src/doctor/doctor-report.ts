import { wrap } from "../top/columns.ts";
import type { Finding } from "./finding.ts";

const MARK = { ok: "ok  ", warn: "WARN", fail: "FAIL" } as const;

/** Findings by subject, what is to be done below each, and how many are not well. */
export function doctorReport(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length), 0);
  const lines: string[] = [];
  for (const subject of new Set(findings.map((finding) => finding.subject))) {
    lines.push(subject);
    for (const finding of findings.filter((each) => each.subject === subject)) {
      lines.push(`  ${MARK[finding.state]}  ${finding.check.padEnd(width)}  ${finding.found}`);
      const advice = finding.advice === undefined ? [] : wrap(finding.advice);
      lines.push(...advice.map((line) => `${" ".repeat(width + 10)}${line}`));
    }
  }
  const count = (state: Finding["state"]) => findings.filter((finding) => finding.state === state).length;
  lines.push("", `${count("ok")} ok, ${count("warn")} warnings, ${count("fail")} failures`, "");
  return lines.join("\n");
}
