/** What the first bytes of a file say that it is, where it is not what its name says. */
const BEGINNINGS: readonly (readonly [RegExp, string])[] = [
  [/^version https?:\/\/git-lfs/, "is a pointer of Git LFS, not the file: run git lfs pull, or hf download"],
  [
    /^GGUF/,
    "is GGUF, which llama.cpp reads; take the safetensors form of the model (hf download NAME --local-dir DIR)",
  ],
  [
    /^PK[^ -~\s]/,
    "is pickled, as PyTorch saves weights; take the safetensors form of the model (hf download NAME --local-dir DIR)",
  ],
  [
    /^\s*<(!doctype|html|\?xml)/i,
    "is a web page, not the file: download it again, signed in (hf auth login) where its licence asks for that",
  ],
];

/** Bytes that are enough to tell. */
export const BEGINNING_BYTES = 32;

/** What a file is by its first bytes, where that is known to be something else than JSON or safetensors; continues a sentence about the file. */
export function recognizeBytes(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes.subarray(0, BEGINNING_BYTES)).toString("latin1");
  return BEGINNINGS.find(([pattern]) => pattern.test(text))?.[1];
}
