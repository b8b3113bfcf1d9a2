import { assert, at } from "@drover/core";
import { KV_KINDS, type KvKind } from "@drover/kv";
import type { PageLayout } from "./page-layout.ts";

/** A page by the unit that it begins with. */
export type PageId = number;

/** A page has to move, so that another one finds room: its units are copied before either is used. */
export type PageMove = Readonly<{ kind: KvKind; from: PageId; to: PageId }>;

type Slab = { readonly index: number; kind: KvKind | undefined; readonly used: boolean[] };

/**
 * Which pages are in use. A slab has pages of one kind at a time; those of slabs that are nearly empty are moved into others when a slab is needed, so that a
 * page is always found while the bytes for it are there. Pure: who calls it moves what is in the pages.
 */
export class PagePool {
  readonly #layout: PageLayout;
  readonly #slabs: Slab[];

  constructor(layout: PageLayout) {
    this.#layout = layout;
    this.#slabs = Array.from({ length: layout.slabCount }, (_, index) => ({ index, kind: undefined, used: [] }));
  }

  /** Pages in use. */
  count(kind: KvKind): number {
    return this.#slabs.reduce((sum, slab) => sum + (slab.kind === kind ? usedCount(slab) : 0), 0);
  }

  /** A free page, and what has to move for it, in order. Bug when there is none: the cache keeps within its bytes. */
  take(kind: KvKind): { page: PageId; moves: readonly PageMove[] } {
    const partial = this.#slabs.find((slab) => slab.kind === kind && usedCount(slab) < this.#perSlab(kind));
    if (partial !== undefined) return { page: this.#use(partial, kind), moves: [] };
    const empty = this.#slabs.find((slab) => slab.kind === undefined);
    if (empty !== undefined) return { page: this.#use(empty, kind), moves: [] };
    const moves = this.#emptySlab();
    const made = this.#slabs.find((slab) => slab.kind === undefined);
    assert(made !== undefined, "a page is taken only where the bytes for it are free");
    return { page: this.#use(made, kind), moves };
  }

  give(page: PageId): void {
    const slab = at(this.#slabs, Math.floor(page / this.#layout.slabUnits));
    assert(slab.kind !== undefined, "a page is given back once");
    const place = (page % this.#layout.slabUnits) / this.#layout.pageUnits[slab.kind];
    assert(slab.used[place] === true, "a page is given back once");
    slab.used[place] = false;
    if (usedCount(slab) === 0) this.#clear(slab);
  }

  /** Moves the pages of the emptiest slab into the free places of others of its kind. */
  #emptySlab(): PageMove[] {
    for (const kind of KV_KINDS) {
      const own = this.#slabs.filter((slab) => slab.kind === kind).sort((a, b) => usedCount(a) - usedCount(b));
      const [victim, ...others] = own;
      const room = others.reduce((sum, slab) => sum + this.#perSlab(kind) - usedCount(slab), 0);
      if (victim === undefined || room < usedCount(victim)) continue;
      const moves: PageMove[] = [];
      for (const [place, isUsed] of victim.used.entries()) {
        const target = others.find((slab) => usedCount(slab) < this.#perSlab(kind));
        if (!isUsed || target === undefined) continue;
        moves.push({ kind, from: this.#page(victim, kind, place), to: this.#use(target, kind) });
      }
      this.#clear(victim);
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
    return this.#page(slab, kind, place);
  }

  #clear(slab: Slab): void {
    slab.kind = undefined;
    slab.used.length = 0;
  }

  #page(slab: Slab, kind: KvKind, place: number): PageId {
    return slab.index * this.#layout.slabUnits + place * this.#layout.pageUnits[kind];
  }

  #perSlab(kind: KvKind): number {
    return this.#layout.slabUnits / this.#layout.pageUnits[kind];
  }
}

function usedCount({ used }: Slab): number {
  return used.reduce((sum, isUsed) => sum + (isUsed ? 1 : 0), 0);
}
