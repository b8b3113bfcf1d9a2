export function makeLean(root: string): void;
export function forgetLean(root: string): void;
