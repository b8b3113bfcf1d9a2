import { assert, at } from "@drover/core";
import { KV_KINDS, type KvKind } from "@drover/kv";
import type { PageLayout } from "./page-layout.ts";

/** A page by the unit that it begins with. */
export type PageId = number;

/** A page has to move, so that another one finds room: its units are copied before either is used. */
export type PageMove = Readonly<{ kind: KvKind; from: PageId; to: PageId }>;

type Slab = { readonly index: number; kind: KvKind | undefined; readonly used: boolean[]; usedCount: number };

/**
 * Which pages are in use. A slab has pages of one kind at a time; those of slabs that are nearly empty are moved into others when a slab is needed, so that a
 * page is always found while the bytes for it are there. What a page takes to find does not grow with the slabs that there are, which can be a million. Pure: who
 * calls it moves what is in the pages.
 */
export class PagePool {
  readonly #layout: PageLayout;
  /** Those that have ever had a page, by their index. */
  readonly #slabs: Slab[] = [];
  /** Those of them that have none now. */
  readonly #empty: Slab[] = [];
  /** Those that have some, and room for more. */
  readonly #partial: Readonly<Record<KvKind, Set<Slab>>> = { global: new Set(), local: new Set() };
  readonly #counts: Record<KvKind, number> = { global: 0, local: 0 };

  constructor(layout: PageLayout) {
    this.#layout = layout;
  }

  /** Pages in use. */
  count(kind: KvKind): number {
    return this.#counts[kind];
  }

  /** A free page, and what has to move for it, in order. Bug when there is none: the cache keeps within its bytes. */
  take(kind: KvKind): { page: PageId; moves: readonly PageMove[] } {
    const [partial] = this.#partial[kind];
    const slab = partial ?? this.#emptySlab();
    if (slab !== undefined) return { page: this.#use(slab, kind), moves: [] };
    const moves = this.#movesForSlab();
    const made = this.#emptySlab();
    assert(made !== undefined, "a page is taken only where the bytes for it are free");
    return { page: this.#use(made, kind), moves };
  }

  give(page: PageId): void {
    const slab = at(this.#slabs, Math.floor(page / this.#layout.slabUnits));
    const { kind } = slab;
    assert(kind !== undefined, "a page is given back once");
    const place = (page % this.#layout.slabUnits) / this.#layout.pageUnits[kind];
    assert(slab.used[place] === true, "a page is given back once");
    slab.used[place] = false;
    slab.usedCount -= 1;
    this.#counts[kind] -= 1;
    if (slab.usedCount === 0) this.#clear(slab, kind);
    else this.#partial[kind].add(slab);
  }

  #emptySlab(): Slab | undefined {
    const known = this.#empty.pop();
    if (known !== undefined || this.#slabs.length === this.#layout.slabCount) return known;
    const slab: Slab = { index: this.#slabs.length, kind: undefined, used: [], usedCount: 0 };
    this.#slabs.push(slab);
    return slab;
  }

  /** Moves the pages of the emptiest slab into the free places of others of its kind. */
  #movesForSlab(): PageMove[] {
    for (const kind of KV_KINDS) {
      const partial = this.#partial[kind];
      let victim: Slab | undefined;
      let room = 0;
      for (const slab of partial) {
        room += this.#perSlab(kind) - slab.usedCount;
        if (victim === undefined || slab.usedCount < victim.usedCount) victim = slab;
      }
      if (victim === undefined || room - (this.#perSlab(kind) - victim.usedCount) < victim.usedCount) continue;
      partial.delete(victim);
      const moves: PageMove[] = [];
      for (const [place, isUsed] of victim.used.entries()) {
        if (!isUsed) continue;
        const [target] = partial;
        assert(target !== undefined, "there is room for the pages that move");
        moves.push({ kind, from: this.#page(victim, kind, place), to: this.#use(target, kind) });
      }
      this.#counts[kind] -= victim.usedCount;
      this.#clear(victim, kind);
      return moves;
    }
    return [];
  }

  #use(slab: Slab, kind: KvKind): PageId {
    if (slab.kind === undefined) {
      slab.kind = kind;
      slab.used.push(...new Array<boolean>(this.#perSlab(kind)).fill(false));
    }
    const place = slab.used.indexOf(false);
    assert(slab.kind === kind && place >= 0, "a page is taken where there is a free one");
    slab.used[place] = true;
    slab.usedCount += 1;
    this.#counts[kind] += 1;
    if (slab.usedCount < this.#perSlab(kind)) this.#partial[kind].add(slab);
    else this.#partial[kind].delete(slab);
    return this.#page(slab, kind, place);
  }

  #clear(slab: Slab, kind: KvKind): void {
    this.#partial[kind].delete(slab);
    this.#empty.push(slab);
    slab.kind = undefined;
    slab.used.length = 0;
    slab.usedCount = 0;
  }

  #page(slab: Slab, kind: KvKind, place: number): PageId {
    return slab.index * this.#layout.slabUnits + place * this.#layout.pageUnits[kind];
  }

  #perSlab(kind: KvKind): number {
    return this.#layout.slabUnits / this.#layout.pageUnits[kind];
  }
}
