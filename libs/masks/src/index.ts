// Which tokens a grammar allows next: XGrammar, on threads of its own.

export { GrammarMasks } from "./grammar-masks.ts";
