import { h } from "preact";
import type { ClusterState } from "./cluster-state.ts";

const CELL = 8;
const LEFT = 34;

/** Told apart by people who see colours differently: Okabe and Ito's. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999"];

/** One expert in the picture: who holds it, and how many rows it was sent where it is among the hottest. */
type ExpertCell = Readonly<{ layer: number; expert: number; holders: readonly number[]; rows: number }>;

/** Every expert of every layer; `holders` are indices of the map's. */
function expertCells({ expertMap, workers }: ClusterState): ExpertCell[] {
  const heat = new Map<string, number>();
  for (const { layer, expert, rowCount } of workers.flatMap(({ status }) => status?.hottest ?? [])) {
    const name = `${layer}/${expert}`;
    heat.set(name, (heat.get(name) ?? 0) + Number(rowCount));
  }
  return expertMap.layers.flatMap(({ layer, experts }) =>
    experts.map(({ holders }, expert) => ({ layer, expert, holders, rows: heat.get(`${layer}/${expert}`) ?? 0 })),
  );
}

/** A row for each layer with experts, a square for each expert in its holder's colour: the stronger, the more rows it was sent. */
export function ExpertPicture({ state }: { state: ClusterState }) {
  const { layers, holders } = state.expertMap;
  const cells = expertCells(state);
  const most = Math.max(1, ...cells.map(({ rows }) => rows));
  const width = LEFT + CELL * Math.max(1, ...layers.map(({ experts }) => experts.length));
  const rowOf = new Map(layers.map(({ layer }, i) => [layer, i]));
  const square = ({ layer, expert, holders: held, rows }: ExpertCell) =>
    h(
      "rect",
      {
        x: LEFT + expert * CELL,
        y: (rowOf.get(layer) ?? 0) * CELL,
        width: CELL - 1,
        height: CELL - 1,
        fill: held.length === 0 ? "none" : colourOf(held[0] ?? 0),
        class: held.length === 0 ? "unheld" : undefined,
        "fill-opacity": (0.22 + 0.78 * Math.sqrt(rows / most)).toFixed(2),
      },
      h("title", {}, `layer ${layer}, expert ${expert}: ${heldBy(held, holders)}${rows > 0 ? `, ${rows} rows` : ""}`),
    );
  return h(
    "figure",
    { class: "experts" },
    h(
      "div",
      { class: "wide" },
      h(
        "svg",
        { width, height: layers.length * CELL, role: "img", "aria-label": described(cells, layers.length) },
        layers.map(({ layer }, i) =>
          h("text", { x: LEFT - 6, y: (i + 1) * CELL - 1, "text-anchor": "end" }, String(layer)),
        ),
        cells.map(square),
      ),
    ),
    h(
      "figcaption",
      {},
      "A row is a layer, a square an expert; strong ones were sent the most rows. ",
      holders.map(({ workerId }, i) =>
        h("span", { class: "legend" }, h("i", { style: { background: colourOf(i) } }), workerId),
      ),
    ),
  );
}

const colourOf = (holder: number): string => COLOURS[holder % COLOURS.length] ?? "";

const heldBy = (held: readonly number[], holders: readonly Readonly<{ workerId: string }>[]): string =>
  held.length === 0 ? "held by nobody" : held.map((i) => holders[i]?.workerId ?? "?").join(", ");

/** For those who do not see the picture. */
function described(cells: readonly ExpertCell[], layerCount: number): string {
  const hottest = cells.filter(({ rows }) => rows > 0).sort((a, b) => b.rows - a.rows);
  const named = hottest
    .slice(0, 5)
    .map(({ layer, expert, rows }) => `expert ${expert} of layer ${layer}, ${rows} rows`);
  const unheld = cells.filter(({ holders }) => holders.length === 0).length;
  return `${cells.length} experts in ${layerCount} layers, ${unheld} held by nobody. Hottest: ${named.join("; ") || "none yet"}.`;
}
