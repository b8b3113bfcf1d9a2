import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file with a cluster's secret, for a cluster that other processes than `up`'s own join. */
export class ClusterSecret implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "drover-secret-"));
  /** By which a process knows it. */
  readonly flags: readonly string[];

  constructor() {
    const file = join(this.#folder, "secret");
    writeFileSync(file, "a-secret-of-this-test-alone\n", { mode: 0o600 });
    this.flags = ["--cluster-secret-file", file];
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}
