import { assert, at } from "@drover/core";
import type { KvPart } from "@drover/kv";
import type { PageId } from "../memory/page-pool.ts";
import type { PageStore } from "../memory/page-store.ts";

/** The pages of a sequence's rows in one kind of layers: page i holds the positions from `firstPosition + i * pageRows` on. */
export type PageTable = Readonly<{
  /** A multiple of a page's rows. */
  firstPosition: number;
  pages: readonly PageId[];
  /** Rows before it are there already, as a view of others' rows: they are not written. */
  writeFrom: number;
}>;

/** What a sequence sees of positions [firstPosition, end). `partsOf`: the parts of a segment, ascending, without gaps. */
export function pageTable(
  store: Pick<PageStore, "layout" | "pageOf">,
  partsOf: (segment: number) => readonly KvPart[],
  rows: Readonly<{ segmentRows: number; firstPosition: number; end: number; writeFrom: number }>,
): PageTable {
  const { pageRows } = store.layout;
  const { segmentRows, firstPosition, end, writeFrom } = rows;
  const pages: PageId[] = [];
  for (let segment = Math.floor(firstPosition / segmentRows); segment * segmentRows < end; segment++) {
    for (const part of partsOf(segment)) {
      assert((part.position - part.firstRow) % pageRows === 0, "parts lie in pages as positions do");
      const to = Math.min(part.position + part.rowCount, end);
      for (let position = firstPosition + pages.length * pageRows; position < to; position += pageRows)
        pages.push(store.pageOf(part.extent, part.firstRow + position - part.position));
    }
  }
  assert(pages.length === Math.ceil((end - firstPosition) / pageRows), "every position has a page");
  return { firstPosition, pages, writeFrom };
}

/** A row's slot: its page's number times the rows of a page, and its row within; negative where it is not written. */
export function slotOf({ firstPosition, pages, writeFrom }: PageTable, position: number, pageRows: number): number {
  if (position < writeFrom) return -1;
  const page = at(pages, Math.floor((position - firstPosition) / pageRows));
  return page * pageRows + (position % pageRows);
}
