import type { ModelConfig } from "@drover/checkpoint";
import type { DeviceAddress, HostMemory } from "../driver/cuda-device.ts";
import type { ExpertTables } from "../experts/expert-tables.ts";
import { type LinkMemory, linkAddresses } from "./link-layout.ts";

/** Numbers of 64 bits of a link's record, and its bytes: kernels/link.cuh. */
const RECORD = 5;
export const RECORD_BYTES = 8 * RECORD;

/** Who holds which experts, by layer and expert. */
export type Holders = Readonly<{ layers: ReadonlyMap<number, readonly (readonly string[])[]> }>;

/** A link in its place among the links. */
export type PlacedLink = {
  readonly workerId: string;
  readonly memory: LinkMemory;
  readonly address: DeviceAddress;
  /** Calls that were told of. */
  askedCount: number;
  isTaken: boolean;
  /** Whether the card counts its calls already. */
  isCounted: boolean;
  isGone: boolean;
};

/** Writes the link to a holder of each expert that is not here, of several by turns, and -1 of others; `table` [MoE layers, experts]. Whether there is one for each. */
export function fillTable(
  table: Int32Array,
  links: readonly (PlacedLink | undefined)[],
  { layers }: Holders,
  held: ExpertTables | undefined,
  { moeLayers, expertCount }: ModelConfig,
): boolean {
  const places = new Map([...links.entries()].flatMap(([i, link]) => (isUsed(link) ? [[link.workerId, i]] : [])));
  const here = new Map((held?.loaded() ?? []).map(({ layer, experts }) => [layer, new Set(experts)]));
  for (const [m, layer] of moeLayers.entries())
    for (let expert = 0; expert < expertCount; expert++) {
      const isHere = here.get(layer)?.has(expert) === true;
      const reached = (layers.get(layer)?.[expert] ?? []).flatMap((id) => places.get(id) ?? []);
      if (!isHere && reached.length === 0) return false;
      table[m * expertCount + expert] = isHere ? -1 : (reached[(layer + expert) % reached.length] ?? -1);
    }
  return true;
}

/** Writes where the parts of each link's memory are for kernels. */
export function fillRecords({ bytes }: HostMemory, links: readonly (PlacedLink | undefined)[], width: number): void {
  const records = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8);
  for (const [i, link] of links.entries()) {
    if (!isUsed(link)) continue;
    const { asked, answered, head, z, y } = linkAddresses(link.address, width);
    records.set([asked, answered, head, z, y], RECORD * i);
  }
}

function isUsed(link: PlacedLink | undefined): link is PlacedLink {
  return link?.isTaken === true && !link.isGone;
}
