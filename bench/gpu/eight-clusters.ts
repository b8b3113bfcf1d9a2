import { shapeConfig } from "./shape-config.ts";

/** What the clusters are made for. */
export type EightShape = Readonly<{
  cards: number;
  layers: number;
  isTiny: boolean;
  /** Streams at once, at most, and tokens of each. */
  streams: number;
  tokens: number;
  /** Tokens of the prompt that lies in stripes; 0: none. */
  long: number;
}>;

/** A cluster by its flags, and how many copies of each expert it holds. */
export type EightCluster = Readonly<{ name: string; copies: number; flags: readonly string[] }>;

const MIB = 2 ** 20;
/** Streams are spread over workers by chance and not by count. */
const UNEVEN = 1.4;
/** Weights of an expert beside its numbers: scales, and that memory is given in pieces. */
const EXPERT_SHARE = 1.03;
const STRIPE_ABOVE = { true: 32, false: 8192 } as const;

/** Maverick on so many cards, in the ways that are to be compared. */
export function eightClusters(shape: EightShape): readonly EightCluster[] {
  const { cards, long } = shape;
  const few = cards > 2 ? 2 : 1;
  const rows = (attention: number) => kvMiB(shape, attention);
  const all = (copies: number, kv: number, ...more: string[]) => [
    ...["--gpus", String(cards), "--expert-workers", "0", "--expert-memory", expertMemory(shape, copies)],
    ...["--kv-memory", `${kv}MiB`, ...more],
  ];
  const stripes = [
    ...["--context-workers", String(cards), "--context-device", "all"],
    ...["--stripe-above", String(STRIPE_ABOVE[`${shape.isTiny}`])],
  ];
  return [
    {
      name: "attention on all cards, by memory",
      copies: 1,
      flags: all(1, Math.max(rows(cards), longMiB(shape)), ...(long > 0 ? stripes : [])),
    },
    {
      name: "every expert twice",
      copies: 2,
      // Half of the streams go on at the other workers when one is killed.
      flags: all(2, rows(Math.max(1, cards - 1)), "--expert-holders", "2"),
    },
    { name: "attention on all cards, by gRPC", copies: 1, flags: all(1, rows(cards), "--exchange", "grpc") },
    {
      name: `attention on ${few === 1 ? "one card" : "two cards"}, experts on all`,
      copies: 1,
      flags: [
        ...["--gpus", String(cards), "--attention-workers", String(few), "--expert-workers", String(cards)],
        ...["--expert-memory", expertMemory(shape, 1), "--kv-memory", `${rows(few)}MiB`],
      ],
    },
  ];
}

/** KV in f32 of one token in a number of layers. */
const tokenBytes = ({ isTiny }: EightShape, layers: number) => {
  const { kvHeadCount, headDim } = shapeConfig("maverick", layers, isTiny);
  return layers * 2 * kvHeadCount * headDim * 4;
};

function kvMiB(shape: EightShape, attentionWorkers: number): number {
  const rows = Math.ceil(shape.streams / attentionWorkers) * (shape.tokens + 64);
  return 64 + Math.ceil((UNEVEN * rows * tokenBytes(shape, shape.layers)) / MIB);
}

/** A holder's part of the long prompt's global rows, and what the worker that computes it keeps itself. */
function longMiB(shape: EightShape): number {
  const bytes = shape.long * tokenBytes(shape, Math.floor(shape.layers / 4));
  return 64 + Math.ceil((UNEVEN * bytes) / shape.cards / MIB) + kvMiB({ ...shape, streams: 32 }, shape.cards);
}

/** Of a card's part of all experts, each so many times. */
function expertMemory({ cards, layers, isTiny }: EightShape, copies: number): string {
  const { expertCount, expertWidth, hiddenSize, moeLayers } = shapeConfig("maverick", layers, isTiny);
  const count = Math.ceil((Math.min(copies, cards) * expertCount * moeLayers.length) / cards) + moeLayers.length;
  return `${Math.ceil((count * 3 * expertWidth * hiddenSize * EXPERT_SHARE) / MIB)}MiB`;
}
