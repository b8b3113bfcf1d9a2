import type { Dashboard } from "@grafana/schema";
import { experts } from "./experts.ts";
import { kvAndContext } from "./kv-and-context.ts";
import { overview } from "./overview.ts";
import { queueAndScheduler } from "./queue-and-scheduler.ts";
import { router } from "./router.ts";
import { workers } from "./workers.ts";

/** Where the dashboards are kept as Grafana reads them. */
export const DASHBOARD_FOLDER = "helm/drover/files/dashboards";

const DASHBOARDS: readonly Dashboard[] = [overview, experts, kvAndContext, queueAndScheduler, router, workers];

/** The text of each dashboard's file, by its name. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  return new Map(DASHBOARDS.map((one) => [`${one.uid}.json`, `${JSON.stringify(one, null, 2)}\n`]));
}
