import type { Findings } from "./finding.ts";
import { CLOCK_SKEW_MS_FAIL, CLOCK_SKEW_MS_WARN } from "./limits.ts";

/** Judges how far a clock is ahead of this machine's; `errorMs` is what the way of measuring may be wrong by. */
export function judgeSkew(findings: Findings, aheadMs: number, errorMs: number): void {
  const off = Math.max(0, Math.abs(aheadMs) - errorMs);
  const found =
    errorMs > 0 && off === 0
      ? `within ${errorMs} ms of this machine's, as near as can be told`
      : `${Math.round(Math.abs(aheadMs))} ms ${aheadMs < 0 ? "behind" : "ahead of"} this machine`;
  const advice = "Run NTP (chrony, systemd-timesyncd) on both machines: deadlines and ages are told by the wall clock.";
  if (off > CLOCK_SKEW_MS_FAIL) findings.fail("clock", found, advice);
  else if (off > CLOCK_SKEW_MS_WARN) findings.warn("clock", found, advice);
  else findings.ok("clock", found);
}
