import {
  AxisPlacement,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  FieldColorModeId,
  LegendDisplayMode,
  type Panel,
  PercentChangeColorMode,
  SortOrder,
  StackingMode,
  ThresholdsMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizOrientation,
} from "@grafana/schema";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import { DATASOURCE, type Query, target } from "./queries.ts";

/** A panel before it has its place and number. */
export type Draft = Readonly<{ panel: Panel; height: number }>;

type Common = Readonly<{
  title: string;
  /** What it shows and when to worry: behind the panel's "i". */
  about: string;
  /** A unit of Grafana's: `s`, `bytes`, `percentunit`, `reqps`, `short`. */
  unit: string;
}>;

const GRAPH_HEIGHT = 8;
const STAT_HEIGHT = 4;

/** Colours from a value on, lowest first; below the first one it is green. */
type Limits = readonly (readonly [from: number, color: "yellow" | "orange" | "red" | "green"])[];

const thresholds = (limits: Limits, base = "green") => ({
  mode: ThresholdsMode.Absolute,
  steps: [{ value: null, color: base }, ...limits.map(([value, color]) => ({ value, color }))],
});

/** Lines over time, one for each series of each query. `stacked` sums them up; `max` is the axis' end; `many` gives the names a table beside. */
export function graph(
  options: Common & Readonly<{ queries: readonly Query[]; stacked?: boolean; max?: number; many?: boolean }>,
): Draft {
  const { title, about, unit, queries, stacked = false, max, many = false } = options;
  const custom: timeseries.FieldConfig = {
    lineWidth: 1,
    fillOpacity: stacked ? 40 : many ? 0 : 10,
    axisPlacement: AxisPlacement.Auto,
    stacking: { mode: stacked ? StackingMode.Normal : StackingMode.None, group: "A" },
  };
  const shown: timeseries.Options = {
    legend: {
      displayMode: many ? LegendDisplayMode.Table : LegendDisplayMode.List,
      placement: many ? "right" : "bottom",
      calcs: many ? ["lastNotNull"] : [],
      ...(many ? { sortBy: "Last *", sortDesc: true } : {}),
      showLegend: true,
    },
    tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
  };
  const defaults = {
    unit,
    min: 0,
    ...(max === undefined ? {} : { max }),
    color: { mode: FieldColorModeId.PaletteClassic },
    custom: { ...custom },
  };
  return draft("timeseries", title, about, queries, {
    fieldConfig: { defaults, overrides: [] },
    options: { ...shown },
  });
}

/** One figure, coloured by its limits, over a small curve. */
export function figure(options: Common & Readonly<{ query: string; limits?: Limits; base?: "green" | "red" }>): Draft {
  const { title, about, unit, query, limits = [], base } = options;
  const shown: stat.Options = {
    reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
    orientation: VizOrientation.Auto,
    colorMode: limits.length === 0 ? BigValueColorMode.None : BigValueColorMode.Background,
    graphMode: BigValueGraphMode.Area,
    justifyMode: BigValueJustifyMode.Auto,
    textMode: BigValueTextMode.Auto,
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: PercentChangeColorMode.Standard,
  };
  const defaults = { unit, thresholds: thresholds(limits, base) };
  const parts = { fieldConfig: { defaults, overrides: [] }, options: { ...shown } };
  return { ...draft("stat", title, about, [{ expr: query, legend: title }], parts), height: STAT_HEIGHT };
}

/** A row of cells over time for each series, or for each bucket of a histogram: the warmer, the more. */
export function heat(options: Common & Readonly<{ queries: readonly Query[]; buckets?: boolean }>): Draft {
  const { title, about, unit, queries, buckets = false } = options;
  const shown: heatmap.Options = {
    calculate: false,
    cellGap: 1,
    cellValues: { unit: buckets ? "short" : unit },
    color: {
      mode: "scheme" as heatmap.HeatmapColorMode,
      scale: "exponential" as heatmap.HeatmapColorScale,
      scheme: "Oranges",
      steps: 64,
      exponent: 0.5,
      fill: "dark-orange",
      reverse: false,
    },
    exemplars: { color: "rgba(255,0,255,0.7)" },
    filterValues: { le: 1e-9 },
    legend: { show: true },
    showValue: VisibilityMode.Never,
    tooltip: { mode: TooltipDisplayMode.Single, yHistogram: false },
    yAxis: { axisPlacement: AxisPlacement.Left, ...(buckets ? { unit } : {}) },
  };
  const format = buckets ? "heatmap" : "time_series";
  return draft("heatmap", title, about, queries, { options: { ...shown } }, format);
}

/** Cells of the newest values of one query, a row for each value of one label and a column for each of another. */
export function matrix(options: Common & Readonly<{ query: string; row: string; column: string }>): Draft {
  const { title, about, unit, query, row, column } = options;
  const defaults = {
    unit,
    color: { mode: FieldColorModeId.ContinuousYlRd },
    custom: { align: "center", cellOptions: { type: "color-background", mode: "basic" } },
  };
  const plain = { id: "custom.cellOptions", value: { type: "auto" } };
  const overrides = [{ matcher: { id: "byName", options: `${row}\\${column}` }, properties: [plain] }];
  // Layers are to stand in the order of their numbers, which as texts they would not.
  const transformations = [
    { id: "convertFieldType", options: { conversions: [{ targetField: row, destinationType: "number" }], fields: {} } },
    { id: "sortBy", options: { fields: {}, sort: [{ field: row }] } },
    {
      id: "groupingToMatrix",
      options: { rowField: row, columnField: column, valueField: "Value", emptyValue: "null" },
    },
  ];
  const parts = { fieldConfig: { defaults, overrides }, options: { showHeader: true }, transformations };
  const queries = [{ expr: query, legend: "" }];
  return { ...draft("table", title, about, queries, parts, "table"), height: 12 };
}

function draft(
  type: string,
  title: string,
  about: string,
  queries: readonly Query[],
  parts: Partial<Panel>,
  format: "time_series" | "heatmap" | "table" = "time_series",
): Draft {
  const targets = queries.map((query, index) => target(query, String.fromCharCode(65 + index), format));
  return {
    panel: { type, title, description: about, datasource: DATASOURCE, targets, ...parts },
    height: GRAPH_HEIGHT,
  };
}
