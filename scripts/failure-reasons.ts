import type { Reporter, TestCase, TestModule } from "vitest/node";

const LINES_MAX = 12;

/** Says why a test has failed as soon as it has, beside the list of all failures in the end: who reads along need not wait for that. */
export class FailureReasons implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { state, errors } = test.result();
    if (state === "failed") this.#say(`${test.module.relativeModuleId} > ${test.fullName}`, errors);
  }

  /** What failed outside of any test: a file that cannot be loaded, or what is before and after its tests. */
  onTestModuleEnd(module: TestModule): void {
    this.#say(module.relativeModuleId, module.errors());
  }

  #say(where: string, errors: readonly Readonly<{ message: string; stack?: string | undefined }>[] | undefined): void {
    for (const { message } of errors ?? []) {
      const lines = message.split("\n");
      const more = lines.length > LINES_MAX ? [`(${lines.length - LINES_MAX} more lines, in the end)`] : [];
      const text = [...lines.slice(0, LINES_MAX), ...more].map((line) => `    ${line}`).join("\n");
      process.stdout.write(`failed: ${where}\n${text}\n`);
    }
  }
}
