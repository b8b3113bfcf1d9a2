import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHART } from "./chart.ts";
import { REPOSITORY } from "./tools.ts";

/** The chart in a folder of its own, to plant what a check has to find. */
export class ChartCopy implements Disposable {
  readonly folder = join(mkdtempSync(join(tmpdir(), "drover-chart-")), "drover");

  constructor() {
    cpSync(join(REPOSITORY, CHART), this.folder, { recursive: true });
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  /** Rewrites a file; a change that changes nothing is a mistake of the test. */
  edit(file: string, change: (text: string) => string): void {
    const before = readFileSync(this.path(file), "utf8");
    const after = change(before);
    if (after === before) throw new Error(`${file} is as it was`);
    writeFileSync(this.path(file), after);
  }

  [Symbol.dispose](): void {
    rmSync(join(this.folder, ".."), { recursive: true });
  }
}
