/** One cached block of 512 tokens in all layers. */
type Block = { readonly id: number; readonly parent: Block | undefined; childCount: number; usedAt: number };

/** What the prefix cache is compared with: every layer keeps every token, in blocks, the least recently used leaf goes first. */
export class UniformCache {
  readonly #blocksMax: number;
  readonly #blocks = new Map<number, Block>();
  /** Leaves by the time that they were used; entries that are out of date are skipped. */
  readonly #leaves = new Map<number, Set<Block>>();
  #oldest = 0;
  #now = 0;

  constructor(blocksMax: number) {
    this.#blocksMax = blocksMax;
  }

  /** Blocks of a prompt that are cached; afterwards all are that fit. */
  request(ids: readonly number[]): number {
    this.#now += 1;
    const path: Block[] = [];
    for (const id of ids) {
      const block = this.#blocks.get(id);
      if (block === undefined) break;
      path.push(block);
    }
    const hit = path.length;
    for (const block of path) this.#touch(block);
    for (const id of ids.slice(hit)) {
      if (this.#blocks.size >= this.#blocksMax && !this.#evict()) break;
      const parent = path.at(-1);
      const block = { id, parent, childCount: 0, usedAt: this.#now };
      if (parent !== undefined) parent.childCount += 1;
      this.#blocks.set(id, block);
      path.push(block);
    }
    const leaf = path.at(-1);
    if (leaf !== undefined && leaf.childCount === 0) this.#addLeaf(leaf);
    return hit;
  }

  #touch(block: Block): void {
    this.#leaves.get(block.usedAt)?.delete(block);
    block.usedAt = this.#now;
  }

  #addLeaf(block: Block): void {
    const leaves = this.#leaves.get(block.usedAt) ?? new Set<Block>();
    this.#leaves.set(block.usedAt, leaves.add(block));
    this.#oldest = Math.min(this.#oldest, block.usedAt);
  }

  /** False when only this request's own blocks are left. */
  #evict(): boolean {
    for (; this.#oldest < this.#now; this.#oldest++) {
      for (const leaf of this.#leaves.get(this.#oldest) ?? []) {
        this.#leaves.get(this.#oldest)?.delete(leaf);
        if (leaf.childCount > 0) continue;
        this.#blocks.delete(leaf.id);
        if (leaf.parent === undefined) return true;
        leaf.parent.childCount -= 1;
        if (leaf.parent.childCount === 0 && leaf.parent.usedAt < this.#now) this.#addLeaf(leaf.parent);
        return true;
      }
      this.#leaves.delete(this.#oldest);
    }
    return false;
  }
}
