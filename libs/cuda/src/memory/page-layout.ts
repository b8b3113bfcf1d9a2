import { KV_KINDS, type KvGeometry, type KvKind, layerCountOf } from "@drover/kv";

/**
 * How a card's KV memory is cut. A unit is the keys and values of `pageRows` rows in one layer; a page of a kind is a unit for each of its layers, one behind the
 * other; a slab is as many units as pages of either kind fill without a rest.
 */
export type PageLayout = Readonly<{
  /** Rows of a page: a divisor of every extent's capacity. */
  pageRows: number;
  unitBytes: number;
  /** Units of a page of each kind. */
  pageUnits: Readonly<Record<KvKind, number>>;
  slabUnits: number;
  slabCount: number;
}>;

/** Rows of a page. */
export function pageRowsOf({ blockRows, chunkRows }: Pick<KvGeometry, "blockRows" | "chunkRows">): number {
  return greatestDivisor(blockRows, chunkRows);
}

/**
 * Cuts `bytesMax`. Whatever the cache allocates within that has a place, if pages are moved together; where no kind's page is a multiple of the other's that
 * takes one slab more.
 */
export function pageLayout(geometry: KvGeometry, bytesMax: number): PageLayout {
  const pageRows = pageRowsOf(geometry);
  const unitBytes = pageRows * geometry.rowBytes;
  const pageUnits = { global: layerCountOf(geometry, "global"), local: layerCountOf(geometry, "local") };
  const [few = 1, many = few] = KV_KINDS.map((kind) => pageUnits[kind])
    .filter((count) => count > 0)
    .sort((a, b) => a - b);
  const divides = many % few === 0;
  const slabUnits = divides ? many : (few / greatestDivisor(few, many)) * many;
  const slabCount = Math.ceil(bytesMax / (slabUnits * unitBytes)) + (divides ? 0 : 1);
  return { pageRows, unitBytes, pageUnits, slabUnits, slabCount };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}
