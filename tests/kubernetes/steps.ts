/** What a step found, for the table: a sentence or figures. */
export type Finding = string | undefined;

export type StepResult = Readonly<{ name: string; seconds: number; passed: boolean; finding: string }>;

/** Runs steps one after the other, says how each went, and keeps what is to be written down. */
export class Steps {
  readonly results: StepResult[] = [];

  get failedCount(): number {
    return this.results.filter(({ passed }) => !passed).length;
  }

  /** Throws what the step throws: those that come after it build on it. */
  async run(name: string, step: () => Promise<Finding>): Promise<void> {
    const beganMs = performance.now();
    const end = (passed: boolean, finding: string) => {
      const seconds = (performance.now() - beganMs) / 1000;
      this.results.push({ name, seconds, passed, finding });
      process.stdout.write(`${passed ? "ok  " : "FAIL"} ${name} (${seconds.toFixed(1)} s) ${finding}\n`);
    };
    try {
      end(true, (await step()) ?? "");
    } catch (error) {
      end(false, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }
}
