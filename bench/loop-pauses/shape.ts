import type { TestCluster } from "../../tests/e2e/test-cluster.ts";

/** A request that is sent to a cluster; what came of it, in a word. */
export type Shape = Readonly<{ name: string; send: (cluster: TestCluster) => Promise<string> }>;

/** A size as it is said. */
export const size = (bytes: number): string =>
  bytes < 2 ** 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
