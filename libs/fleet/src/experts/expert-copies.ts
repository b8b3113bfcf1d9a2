import { at, type WorkerId } from "@drover/core";
import type { ExpertAssignment, ExpertRoom } from "./expert-assignment.ts";
import type { ExpertHeat } from "./expert-heat.ts";
import { LayerLoads } from "./layer-loads.ts";

/** Who is to hold each expert: by MoE layer, for each expert its owner and then the workers with copies. */
export type ExpertHolders = ReadonlyMap<number, readonly (readonly WorkerId[])[]>;

export type CopiesInput = Readonly<{
  owners: ExpertAssignment;
  /** What was desired before: copies that are still wanted stay where they are. */
  earlier: ExpertHolders;
  /** Workers that may have copies, also lost ones that are still waited for. */
  members: ReadonlySet<WorkerId>;
  /** Of them, those that can take more. */
  takers: readonly WorkerId[];
  room: ExpertRoom;
  heat: ExpertHeat;
  /** How many holders each expert is to have, its owner included. */
  wanted: (layer: number, expert: number) => number;
  /** Whether the worker is there and speaks. */
  answers: (worker: WorkerId) => boolean;
  /** Whether the worker has not answered for so long that others stand in for it. */
  isAway: (worker: WorkerId) => boolean;
  isLoaded: (worker: WorkerId, layer: number, expert: number) => boolean;
}>;

export type PlannedCopies = Readonly<{
  holders: ExpertHolders;
  /** Experts none of whose holders answers, for which no other worker has memory. */
  orphanCount: number;
}>;

/** An expert while its holders are chosen. */
type Slot = {
  readonly layer: number;
  readonly expert: number;
  /** How many experts of the layer its owner has before it: of equal heat each owner's first ones come first, so that all owners' copies fill the others' memory alike. */
  readonly ownerTurn: number;
  readonly holders: WorkerId[];
};

/**
 * Gives experts holders beside their owners. An expert none of whose holders answers goes to another worker at once, the hottest first; then each
 * gets as many as are wanted, where there is memory. The taker is the one whose share of its layer's rows is smallest. Where all that have memory left hold the
 * expert already, a copy of another one moves to them and makes room. Nobody who is lost for a moment is replaced
 * where another holder answers; who is away for longer has others stand in for it, where there is memory. A copy that is not wanted any more, a stand-in too, goes only once all wanted holders
 * have the expert loaded.
 */
export function planCopies(input: CopiesInput): PlannedCopies {
  const { owners, heat, answers } = input;
  const loads = new LayerLoads(input.room, heat, answers);
  const slots: Slot[] = [];
  for (const [layer, ofLayer] of owners) {
    const turns = new Map<WorkerId, number>();
    for (const [expert, owner] of ofLayer.entries()) {
      const holders = keptHolders(input, layer, expert, owner);
      const ownerTurn = turns.get(owner) ?? 0;
      turns.set(owner, ownerTurn + 1);
      slots.push({ layer, expert, ownerTurn, holders });
      loads.add(layer, expert, holders);
    }
  }
  const hottestFirst = slots.toSorted(
    (a, b) => heat.of(b.layer, b.expert) - heat.of(a.layer, a.expert) || a.ownerTurn - b.ownerTurn,
  );
  const orphans = hottestFirst.filter(({ holders }) => !holders.some(answers));
  const orphanCount = orphans.filter((slot) => !addHolder(slot, input.takers, loads)).length;
  let canTrade = true;
  for (const slot of hottestFirst) {
    while (slot.holders.length < input.wanted(slot.layer, slot.expert)) {
      if (addHolder(slot, input.takers, loads)) continue;
      canTrade &&= makeRoom(slot, slots, input, loads);
      if (!canTrade || !addHolder(slot, input.takers, loads)) break;
    }
  }
  standIn(hottestFirst, input, loads);
  return { holders: byLayer(slots), orphanCount };
}

/** As many holders as are wanted, without those that are away: the next loss is to leave somebody. */
function standIn(hottestFirst: readonly Slot[], { wanted, takers, isAway }: CopiesInput, loads: LayerLoads): void {
  for (const slot of hottestFirst) {
    const missing = wanted(slot.layer, slot.expert) - slot.holders.filter((worker) => !isAway(worker)).length;
    for (let count = 0; count < missing && addHolder(slot, takers, loads); count += 1);
  }
}

/** The owner and those earlier copies that must stay. */
function keptHolders(input: CopiesInput, layer: number, expert: number, owner: WorkerId): WorkerId[] {
  const { earlier, members, answers, isLoaded } = input;
  const ofLayer = earlier.get(layer);
  const before = ofLayer === undefined ? [] : at(ofLayer, expert);
  const holders = [owner, ...before.filter((worker) => worker !== owner && members.has(worker))];
  const wanted = holders.slice(0, Math.max(1, input.wanted(layer, expert)));
  const isSafe = wanted.every((worker) => answers(worker) && isLoaded(worker, layer, expert));
  return isSafe ? wanted : holders;
}

/** False where no taker has room, or all of them hold it. */
function addHolder({ layer, expert, holders }: Slot, takers: readonly WorkerId[], loads: LayerLoads): boolean {
  const taker = loads.leastLoaded(
    layer,
    takers.filter((worker) => !holders.includes(worker)),
  );
  if (taker === undefined) return false;
  loads.remove(layer, expert, holders);
  holders.push(taker);
  loads.add(layer, expert, holders);
  return true;
}

/**
 * Moves a copy of another expert from a worker that could hold this one to one that has memory left and holds this one already; one that is not loaded yet where
 * there is one. False where no copy can move so.
 */
function makeRoom({ holders }: Slot, slots: readonly Slot[], input: CopiesInput, loads: LayerLoads): boolean {
  const { takers, isLoaded } = input;
  const givers = new Set(takers.filter((worker) => !holders.includes(worker)));
  let found: { slot: Slot; place: number; to: WorkerId } | undefined;
  for (const to of takers.filter((worker) => holders.includes(worker) && loads.hasRoom(worker))) {
    for (const slot of slots) {
      if (slot.holders.includes(to)) continue;
      // The first one is the owner.
      const place = slot.holders.findIndex((worker, i) => i > 0 && givers.has(worker));
      if (place < 0) continue;
      const giver = at(slot.holders, place);
      const isFree = !isLoaded(giver, slot.layer, slot.expert);
      if (isFree || found === undefined) found = { slot, place, to };
      if (isFree) break;
    }
  }
  if (found === undefined) return false;
  const { slot, place, to } = found;
  loads.remove(slot.layer, slot.expert, slot.holders);
  slot.holders[place] = to;
  loads.add(slot.layer, slot.expert, slot.holders);
  return true;
}

function byLayer(slots: readonly Slot[]): ExpertHolders {
  const layers = new Map<number, (readonly WorkerId[])[]>();
  for (const { layer, expert, holders } of slots) {
    const ofLayer = layers.get(layer) ?? [];
    ofLayer[expert] = holders;
    layers.set(layer, ofLayer);
  }
  return layers;
}

/** The assignment that holders amount to when only `workers` are left: a copy becomes the owner where the owner is gone. */
export function ownersAmong(
  holders: ExpertHolders,
  workers: ReadonlySet<WorkerId>,
): ReadonlyMap<number, readonly (WorkerId | undefined)[]> {
  return new Map(
    [...holders].map(([layer, ofLayer]) => [layer, ofLayer.map((each) => each.find((one) => workers.has(one)))]),
  );
}
