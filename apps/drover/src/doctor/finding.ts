/** One thing that was looked at. */
export type Finding = Readonly<{
  /** What it is about: `redis`, `machine`, `model`, a peer's name. */
  subject: string;
  check: string;
  state: "ok" | "warn" | "fail";
  /** What was found. */
  found: string;
  /** What to do about it; absent where all is well. */
  advice?: string;
}>;

/** Findings about one subject, one after the other. */
export class Findings {
  readonly subject: string;
  readonly all: Finding[] = [];

  constructor(subject: string) {
    this.subject = subject;
  }

  ok(check: string, found: string): void {
    this.all.push({ subject: this.subject, check, state: "ok", found });
  }

  warn(check: string, found: string, advice: string): void {
    this.all.push({ subject: this.subject, check, state: "warn", found, advice });
  }

  fail(check: string, found: string, advice: string): void {
    this.all.push({ subject: this.subject, check, state: "fail", found, advice });
  }
}

/** 0: all is well; 1: something may go wrong; 2: something is wrong. */
export function exitStatus(findings: readonly Finding[]): number {
  if (findings.some(({ state }) => state === "fail")) return 2;
  return findings.some(({ state }) => state === "warn") ? 1 : 0;
}
