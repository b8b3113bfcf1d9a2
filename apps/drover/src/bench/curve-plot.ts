import { escaped } from "./markup.ts";

export type Curve = Readonly<{ name: string; points: readonly Readonly<{ x: number; y: number }>[] }>;

/** `ticks` name the whole numbers of the x axis; without them it is numbered. */
export type Plot = Readonly<{ title: string; curves: readonly Curve[]; ticks?: readonly string[] }>;

/** Told apart by people who see colours differently: Okabe and Ito's. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const WIDTH = 480;
const HEIGHT = 260;
const LEFT = 56;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;
const LINE = 16;
const TICK_COUNT = 4;

/** An SVG figure of curves from zero on, with a legend; its title is its description too. */
export function plot({ title, curves, ticks }: Plot): string {
  const points = curves.flatMap((curve) => curve.points).filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y));
  const xMax = Math.max(1e-9, ...(ticks === undefined ? points.map(({ x }) => x) : [Math.max(1, ticks.length - 1)]));
  const yMax = Math.max(1e-9, ...points.map(({ y }) => y));
  const x = (value: number) => round(LEFT + (value / xMax) * (WIDTH - LEFT - RIGHT));
  const y = (value: number) => round(HEIGHT - BOTTOM - (value / yMax) * (HEIGHT - TOP - BOTTOM));
  const legend = curves.map(({ name }, i) => legendLine(name, i)).join("");
  const height = HEIGHT + curves.length * LINE;
  const drawn = curves.map((curve, i) => {
    const path = curve.points.filter((point) => Number.isFinite(point.y)).map((point) => `${x(point.x)},${y(point.y)}`);
    return `<polyline fill="none" stroke="${colourOf(i)}" stroke-width="2" points="${path.join(" ")}"/>`;
  });
  return `<figure><figcaption>${escaped(title)}</figcaption><svg role="img" aria-label="${escaped(title)}" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}">
${axis(xMax, yMax, x, y, ticks)}${drawn.join("")}${legend}</svg></figure>`;
}

function axis(
  xMax: number,
  yMax: number,
  x: (value: number) => number,
  y: (value: number) => number,
  ticks: readonly string[] | undefined,
): string {
  const steps = Array.from({ length: TICK_COUNT + 1 }, (_, i) => i / TICK_COUNT);
  const rows = steps.map(
    (share) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(share * yMax)}" y2="${y(share * yMax)}" stroke="var(--faint)"/><text x="${LEFT - 6}" y="${y(share * yMax) + 4}" text-anchor="end">${shortNumber(share * yMax)}</text>`,
  );
  const named =
    ticks?.map((text, i) => ({ text, at: i })) ??
    steps.map((share) => ({ text: shortNumber(share * xMax), at: share * xMax }));
  const columns = named.map(
    ({ text, at }) =>
      `<text x="${x(at)}" y="${HEIGHT - 6}" text-anchor="${anchorOf(at, xMax)}">${escaped(text)}</text>`,
  );
  return rows.join("") + columns.join("");
}

/** The outermost names stay within the picture. */
function anchorOf(at: number, xMax: number): string {
  if (at === 0) return "start";
  return at === xMax ? "end" : "middle";
}

const legendLine = (name: string, i: number): string =>
  `<rect x="${LEFT}" y="${HEIGHT + i * LINE}" width="10" height="10" fill="${colourOf(i)}"/><text x="${LEFT + 16}" y="${HEIGHT + i * LINE + 10}">${escaped(name)}</text>`;

const colourOf = (i: number): string => COLOURS[i % COLOURS.length] ?? "";
const round = (value: number): number => Math.round(value * 10) / 10;
const shortNumber = (value: number): string => (value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(2))));
