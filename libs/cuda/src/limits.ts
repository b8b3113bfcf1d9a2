/** Arguments of one kernel launch: the longest list of the kernels here, with room. More is a bug. */
export const KERNEL_ARGUMENTS_MAX = 32;

/** Bytes of a matrix that are on the card at once in the form in which they are stored, before they are in that in which they are computed with; an expert of a tensor of all experts is there whole. */
export const UPLOAD_BYTES = 64 * 2 ** 20;

/** Pinned memory that weights come to the card through: parts that are read at once, and bytes of one. It bounds what of a checkpoint is in this process's memory. */
export const PINNED = { count: 8, bytes: 16 * 2 ** 20 } as const;

/** Routed experts of a layer: what one block of the routing kernel sorts. A model with more is refused. */
export const EXPERTS_MAX = 1024;

/** Rows of experts that a card computes at once for other workers; more are computed in turns. */
export const EXPERT_ROWS_MAX = 512;

/** Rows of one run of the head: bounds the logits that exist at once. A step that wants more has several runs. */
export const HEAD_ROWS_MAX = 64;

/** Likeliest tokens that the card finds for a row: as many as the API may ask for. */
export const TOP_COUNT_MAX = 20;

/** Pairs of a row and a part of its positions whose sums exist at once; attention of more rows has several runs. */
export const ATTENTION_PARTS_MAX = 4096;

/** Sequences of one step beside the rows of prompts: as many as an engine decodes together. A step of more rows is computed in several. */
export const DECODE_ROWS_MAX = 256;

/** Numbers of one step's lists of pages, for all of its sequences. A step whose sequences have more is computed in several; one sequence has fewer than fit. */
export const TABLE_WORDS_MAX = 2 ** 24;

/** Numbers of the lists of pages of a step that is enqueued behind another. One whose sequences have more waits until that one is over. */
export const FOLLOWING_TABLE_MAX = 2 ** 20;

/** What a card is told of the draws of one step: ids of masks, bans, biases and penalties' tokens, and values of biases. Draws that have no room are the CPU's. */
export const [DRAW_WORDS_MAX, DRAW_VALUES_MAX] = [2 ** 19, 2 ** 13] as const;

/** Rows of queries that a card attends with at once for other workers; more are computed in turns. */
export const CONTEXT_ROWS_MAX = 256;

/** Pinned memory that a segment's rows leave a card or come to it through, some pages of a layer at a time. */
export const TRANSFER_BYTES = 8 * 2 ** 20;

/** Of the memory that is free behind the weights, what `auto` does not give to keys and values: room for kernels' code, and for other users of the card. */
export const KV_AUTO_SPARED = { share: 0.04, bytes: 512 * 2 ** 20 } as const;

/** Rows of tiles that a card encodes at once, or one tile's where it has more: four of Maverick's tiles fill its multiprocessors, and take some 300 MB of activations. */
export const VISION_ROWS_MAX = 2560;

/** Layers of the vision encoder that are enqueued at once: a step that is submitted meanwhile waits for them at most. */
export const VISION_LAYERS_A_TURN = 2;

/** Images that wait for the encoder, and the bytes of their pixels; more are refused as overloaded. */
export const [VISION_QUEUE_MAX, VISION_QUEUE_BYTES_MAX] = [256, 512 * 2 ** 20] as const;

/** A card that is asked for more images than wait has room for some after this. */
export const VISION_RETRY_AFTER_MS = 1_000;

/** Rows of a step that go to other cards by themselves: those of streams, and some hundreds of prompts. Steps of more rows go the way of all others. kernels/link.cuh has the same number, which is that of a block's threads. */
export const LINK_ROWS_MAX = 256;

/** Cards of a host that one card's steps send rows to by themselves; workers beyond them are asked as others are. kernels/link.cuh has the same number. */
export const LINKS_MAX = 8;

/** Steps that go the way of all others after one that a link lost rows of: the map that says who holds what comes meanwhile. */
export const LINK_REST_STEPS = 50;

/** How long a process whose card answers others looks for calls by itself when no step is under way: a bell takes longer than the pause between two steps. */
export const LINK_LINGER_MS = 3;
