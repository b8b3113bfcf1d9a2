import {
  ANSWERS_BYTES_MAX,
  BODIES_BYTES_MAX,
  IMAGE_BYTES_HELD_MAX,
  PROMPTS_BYTES_MAX,
  UNREAD_BYTES_MAX,
} from "../limits.ts";
import { MEMORY_KINDS, MemoryBudget, type MemoryKind } from "./memory-budget.ts";

/** A budget for each kind. */
export type MemoryBudgets = Readonly<Record<MemoryKind, MemoryBudget>>;

/** Bytes that each may have at most. */
export type MemoryLimits = Readonly<Record<MemoryKind, number>>;

export const MEMORY_LIMITS_DEFAULT: MemoryLimits = {
  bodies: BODIES_BYTES_MAX,
  images: IMAGE_BYTES_HELD_MAX,
  prompts: PROMPTS_BYTES_MAX,
  answers: ANSWERS_BYTES_MAX,
  unread: UNREAD_BYTES_MAX,
};

/** Budgets of a router, where nothing is said those of `limits.ts`. */
export function memoryBudgets(limits: Partial<MemoryLimits> = {}): MemoryBudgets {
  const of = (kind: MemoryKind) => new MemoryBudget(kind, limits[kind] ?? MEMORY_LIMITS_DEFAULT[kind]);
  const budgets: Partial<Record<MemoryKind, MemoryBudget>> = {};
  for (const kind of MEMORY_KINDS) budgets[kind] = of(kind);
  return budgets as MemoryBudgets;
}
