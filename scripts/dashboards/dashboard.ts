import {
  type Dashboard,
  type Panel,
  type RowPanel,
  VariableHide,
  type VariableModel,
  VariableRefresh,
} from "@grafana/schema";
import type { Draft } from "./panels.ts";
import { DATASOURCE, expand } from "./queries.ts";

type Row = Readonly<{ title: string; panels: readonly Draft[] }>;

export type DashboardOptions = Readonly<{
  /** Names it in addresses and stays the same for ever. */
  uid: string;
  title: string;
  description: string;
  /** Choices beside data source, cluster and namespace: a label of a metric, each. */
  variables?: readonly Readonly<{ name: string; metric: string; label: string; multi: boolean }>[];
  rows: readonly Row[];
}>;

const COLUMN_COUNT = 24;

/** A dashboard whose rows share the width evenly among their panels. */
export function dashboard({ uid, title, description, variables = [], rows }: DashboardOptions): Dashboard {
  return {
    uid,
    title,
    description,
    tags: ["drover"],
    editable: true,
    // Crosshairs of all panels move together.
    graphTooltip: 1,
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    links: [
      {
        title: "Drover",
        type: "dashboards",
        tags: ["drover"],
        asDropdown: true,
        includeVars: true,
        keepTime: true,
        icon: "external link",
        tooltip: "",
        targetBlank: false,
        url: "",
      },
    ],
    annotations: { list: [] },
    templating: {
      list: [
        datasource,
        labelValues("cluster", "drover_ready", "cluster", true),
        labelValues("namespace", 'drover_ready{cluster=~"$cluster"}', "namespace", true),
        ...variables.map(({ name, metric, label, multi }) => labelValues(name, expand(metric), label, multi)),
      ],
    },
    panels: place(rows),
  };
}

const datasource: VariableModel = {
  name: "datasource",
  label: "Data source",
  type: "datasource",
  query: "prometheus",
  hide: VariableHide.dontHide,
};

/** What a scraper may have added or not: "all" are then also the series that lack it. */
const SCRAPED = ["cluster", "namespace"];

/** The values of a label. */
function labelValues(name: string, metric: string, label: string, multi: boolean): VariableModel {
  const allValue = SCRAPED.includes(name) ? ".*" : ".+";
  return {
    name,
    label,
    type: "query",
    datasource: DATASOURCE,
    query: { query: `label_values(${metric}, ${label})`, refId: name },
    refresh: VariableRefresh.onTimeRangeChanged,
    sort: 3,
    multi,
    ...(multi
      ? { includeAll: true, allValue, current: { selected: true, text: ["All"], value: ["$__all"] } }
      : { includeAll: false }),
  };
}

function place(rows: readonly Row[]): (Panel | RowPanel)[] {
  const placed: (Panel | RowPanel)[] = [];
  let y = 0;
  for (const { title, panels } of rows) {
    const id = placed.length + 1;
    placed.push({ id, type: "row", title, collapsed: false, gridPos: { x: 0, y, w: COLUMN_COUNT, h: 1 }, panels: [] });
    y += 1;
    const lineLength = panelsInLine(panels);
    for (let from = 0; from < panels.length; from += lineLength) {
      const line = panels.slice(from, from + lineLength);
      const column = (index: number) => Math.floor((index * COLUMN_COUNT) / line.length);
      const h = Math.max(...line.map(({ height }) => height));
      for (const [index, { panel }] of line.entries()) {
        const x = column(index);
        placed.push({ id: placed.length + 1, ...panel, gridPos: { x, y, w: column(index + 1) - x, h } });
      }
      y += h;
    }
  }
  return placed;
}

/** Figures are narrow, and three graphs are as many as can be read. */
function panelsInLine(panels: readonly Draft[]): number {
  const narrow = panels.every(({ panel }) => panel.type === "stat");
  if (narrow) return 6;
  return panels.length === 4 ? 2 : Math.min(3, Math.max(1, panels.length));
}
