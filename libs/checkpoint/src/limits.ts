/**
 * A safetensors header's bytes; the format allows 100 MB. An unfused Maverick in one file has 24 layers x 128 experts x 3 Linears x 2 tensors of about 170
 * bytes, 3.2 MB. The dearest JSON of this size, an object of a million names, takes some 450 MB while it is parsed.
 */
export const HEADER_BYTES_MAX = 16 * 2 ** 20;

/** One read call's bytes: the system's own limit is 2^31 - 4096. */
export const READ_BYTES_MAX = 2 ** 30;

/**
 * A JSON file's bytes. The largest one is the index of an unfused Maverick: 24 layers x 128 experts x 3 Linears x 2 tensors, about 140 bytes
 * each, are 2.6 MB; 16 MiB leave room for anything that is one.
 */
export const JSON_BYTES_MAX = 16 * 2 ** 20;

/** Bytes of a fused expert that are decoded before they are scattered, so that the scratch stays in a core's cache. */
export const TRANSPOSE_SCRATCH_BYTES = 512 * 1024;

/**
 * Bytes of one matrix's numbers in a converted checkpoint; larger ones are cut by rows. Packing takes the matrix mapped, packed, and once more while the
 * runtime saves it, so that three times this, beside an expert's bytes as they are stored, bound a conversion's memory.
 */
export const CONVERTED_PART_BYTES_MAX = 96 * 2 ** 20;

/** Bytes of scales that are looked at before anything is served: a Scout with one scale for each output has 60 MiB, the three of a tensor each a few KiB. */
export const CHECKED_SCALE_BYTES_MAX = 64 * 2 ** 20;

/** Bytes that are copied or hashed at a time. */
export const COPY_BYTES = 4 * 2 ** 20;

/** Bytes of one file that goes along with the weights: a tokenizer has some 30 MB. */
export const COMPANION_BYTES_MAX = 256 * 2 ** 20;

/** Characters of a tensor's or a field's name that a message repeats. */
export const NAME_CHARACTERS_MAX = 160;

/** Characters of a file's name: what common file systems take. */
export const FILE_NAME_CHARACTERS_MAX = 255;

/** Dimensions of a tensor. Llama 4's have three at most; the vision encoder's convolution, where it is one, four. */
export const DIMENSIONS_MAX = 16;

/** Layers that config.json may name; Llama 4 has 48. */
export const LAYERS_MAX = 256;

/** Routed experts of one layer that config.json may name; Llama 4 has 128 at most. */
export const EXPERTS_MAX = 1024;

/** A width, a vocabulary, a number of heads in config.json. Products of two stay exact whole numbers of bytes. */
export const SIZE_MAX = 2 ** 24;

/** Positions that config.json may name; Scout has 10,485,760. */
export const POSITIONS_MAX = 2 ** 30;

/** Rows of a Linear that are in memory in f32 while it is quantized, also by a conversion: enough that a read is worth its call. */
export const QUANTIZE_SCRATCH_BYTES = 16 * 2 ** 20;

/** Levels of lists and objects in a JSON file; a checkpoint's have six at most. */
export const JSON_DEPTH_MAX = 64;

/** Lists and objects in a JSON file: an unfused Maverick's header has three for each of 37,000 tensors. At 50 bytes each they are 50 MB. */
export const JSON_CONTAINERS_MAX = 1_000_000;

/** Files that wait to be hashed by threads: two layers' experts of a Maverick, and what belongs to them. Their reader asks for no more at once. */
export const HASH_QUEUE_MAX = 320;
