import { assert, DroverError } from "@drover/core";
import { CountingMatcher, countedGrammar } from "@drover/grammar";
import type { CompiledGrammar, GrammarMatcher } from "@mlc-ai/web-xgrammar";
import { GRAMMAR_CHARACTERS_KEPT_MAX, GRAMMARS_KEPT_MAX } from "./limits.ts";
import type { AdvanceCursors, MaskAnswer, OpenCursor } from "./mask-messages.ts";
import type { CountedPlace, TokenCounts } from "./token-counts.ts";
import { BETWEEN, type PendingBytes, type WholeCharacters } from "./whole-characters.ts";
import type { XGrammar } from "./xgrammar.ts";

type Compiler = Awaited<ReturnType<XGrammar["GrammarCompiler"]["createGrammarCompiler"]>>;

/** A compiled grammar, and how many cursors stand in it. */
type Kept = { compiled: CompiledGrammar; matcher: CountingMatcher | undefined; cursorCount: number };

/** `grammar`: its source, by which it is kept. */
type Cursor = {
  readonly grammar: string;
  readonly matcher: GrammarMatcher;
  readonly allowed: Uint32Array;
  readonly stopTokenIds: readonly number[];
  pending: PendingBytes;
  /** Where it stands in a grammar that counts. */
  counted: Readonly<{ matcher: CountingMatcher; place: CountedPlace }> | undefined;
};

/** The cursors of one thread, and the compiled grammars that they stand in. */
export class GrammarCursors {
  readonly #xgrammar: XGrammar;
  readonly #compiler: Compiler;
  readonly #characters: WholeCharacters;
  readonly #counts: TokenCounts;
  readonly #cursors = new Map<number, Cursor>();
  /** By source, the one that was not used for longest first. */
  readonly #grammars = new Map<string, Kept>();

  constructor(xgrammar: XGrammar, compiler: Compiler, characters: WholeCharacters, counts: TokenCounts) {
    this.#xgrammar = xgrammar;
    this.#compiler = compiler;
    this.#characters = characters;
    this.#counts = counts;
  }

  /** Errors: `invalid_argument` where the output so far does not match its grammar. */
  async open({ id, grammar, stopTokenIds, tokenIds, allowed }: OpenCursor): Promise<MaskAnswer> {
    const kept = await this.#compiled(grammar);
    const matcher = await this.#xgrammar.GrammarMatcher.createGrammarMatcher(kept.compiled, [...stopTokenIds]);
    const counted = kept.matcher && {
      matcher: kept.matcher,
      place: { state: kept.matcher.start, pending: [] },
    };
    const cursor: Cursor = { grammar, matcher, allowed, stopTokenIds, pending: BETWEEN, counted };
    kept.cursorCount += 1;
    this.#cursors.set(id, cursor);
    for (const tokenId of tokenIds) {
      if (this.#accept(cursor, tokenId)) continue;
      this.#close(id);
      throw new DroverError("invalid_argument", "the output so far does not match the grammar");
    }
    return { stuck: (await this.#mask(cursor)) ? [] : [id], unknown: [] };
  }

  async advance({ accepted, closed }: AdvanceCursors): Promise<MaskAnswer> {
    const stuck: number[] = [];
    const unknown: number[] = [];
    for (const [id, tokenId] of accepted) {
      const cursor = this.#cursors.get(id);
      if (cursor === undefined) unknown.push(id);
      else if (!this.#accept(cursor, tokenId) || !(await this.#mask(cursor))) stuck.push(id);
    }
    for (const id of closed) this.#close(id);
    return { stuck, unknown };
  }

  #accept(cursor: Cursor, tokenId: number): boolean {
    const pending = this.#characters.after(cursor.pending, tokenId);
    const { counted } = cursor;
    const place = counted && this.#counts.after(counted.place, tokenId, counted.matcher);
    if (pending === undefined || (counted !== undefined && place === undefined)) return false;
    if (!cursor.matcher.acceptToken(tokenId)) return false;
    cursor.pending = pending;
    if (counted !== undefined && place !== undefined) cursor.counted = { ...counted, place };
    return true;
  }

  /** False where no token may come. */
  async #mask({ matcher, allowed, pending, counted, stopTokenIds }: Cursor): Promise<boolean> {
    allowed.set(await matcher.getNextTokenBitmask());
    this.#characters.restrict(allowed, pending);
    if (counted !== undefined) this.#counts.restrict(allowed, counted.place, counted.matcher, stopTokenIds);
    return allowed.some((word) => word !== 0);
  }

  async #compiled(grammar: string): Promise<Kept> {
    const known = this.#grammars.get(grammar);
    if (known !== undefined) {
      this.#grammars.delete(grammar);
      this.#grammars.set(grammar, known);
      return known;
    }
    const { loose, exact } = countedGrammar(grammar);
    const parsed = await this.#xgrammar.Grammar.fromEBNF(loose);
    const compiled = await this.#compiler.compileGrammar(parsed);
    const kept = { compiled, matcher: exact && new CountingMatcher(exact), cursorCount: 0 };
    parsed.dispose();
    this.#grammars.set(grammar, kept);
    this.#evict(kept);
    return kept;
  }

  #evict(newest: Kept): void {
    let characters = 0;
    for (const source of this.#grammars.keys()) characters += source.length;
    for (const [source, kept] of this.#grammars) {
      if (this.#grammars.size <= GRAMMARS_KEPT_MAX && characters <= GRAMMAR_CHARACTERS_KEPT_MAX) return;
      if (kept.cursorCount > 0 || kept === newest) continue;
      kept.compiled.dispose();
      this.#grammars.delete(source);
      characters -= source.length;
    }
  }

  #close(id: number): void {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return;
    this.#cursors.delete(id);
    cursor.matcher.dispose();
    const kept = this.#grammars.get(cursor.grammar);
    assert(kept !== undefined, "a grammar is kept while a cursor stands in it");
    kept.cursorCount -= 1;
  }
}
