import { create } from "@bufbuild/protobuf";
import { DroverError, type ExpertRunner, noTracer, type RowLinkAnswers, type Tracer } from "@drover/core";
import { ExpertMemory, type SegmentOffer, SegmentTakenSchema } from "@drover/proto";
import type { SharedMemory, SharedSegment, WordQueue } from "@drover/shared-memory";
import { runFrame } from "../expert-frame-runner.ts";
import { FLOAT_BYTES } from "../expert-frames.ts";
import { type RpcService, rpcService } from "../rpc-service.ts";
import {
  ExpertSlots,
  SEGMENT_BYTES,
  SEGMENT_LAYOUT,
  SLOT_VALUES_MAX,
  type SlotFrame,
  slotQueues,
} from "./expert-slots.ts";
import { LINK_LAYOUT } from "./offer-link.ts";

/** The same experts through memory, for processes of this host that offer it: beside `expertService`, to whose stream such a process comes first. */
export function sharedExpertService(
  runner: ExpertRunner,
  memory: () => Promise<SharedMemory> | undefined,
  tracer: Tracer = noTracer,
  links?: RowLinkAnswers,
): RpcService {
  return rpcService(ExpertMemory, {
    share: async (offer) => {
      const shared = await memory();
      if (shared === undefined) throw new DroverError("unavailable", "this worker has rows over connections alone");
      if (offer.layout === LINK_LAYOUT) answerLink(shared, offer, links);
      else answerShared(shared, offer, runner, tracer);
      return create(SegmentTakenSchema);
    },
  });
}

/** Maps the segment that another process of this host offers, and answers its frames until that process is gone. Errors: `not_found` where it is of another host, `invalid_argument` for another layout. */
function answerShared(memory: SharedMemory, offer: SegmentOffer, runner: ExpertRunner, tracer: Tracer): void {
  if (offer.layout !== SEGMENT_LAYOUT || offer.byteCount !== SEGMENT_BYTES)
    throw new DroverError("invalid_argument", `segments of layout ${offer.layout} are not known here`);
  new SharedAnswers(memory.open(offer), runner, tracer).start();
}

/** Has a device answer through the segment. Errors: as above, and `unavailable` where the devices have no such way to each other. */
function answerLink(memory: SharedMemory, offer: SegmentOffer, links: RowLinkAnswers | undefined): void {
  if (links === undefined || offer.byteCount !== links.byteCount)
    throw new DroverError("invalid_argument", "no device here reads such segments by itself");
  const segment = memory.open(offer);
  try {
    links.answer(segment);
  } catch (error) {
    segment[Symbol.dispose]();
    segment.unmap();
    throw error;
  }
}

/** The side of a segment that answers: each frame is begun at once, and its rows are computed where they are. */
class SharedAnswers {
  readonly #segment: SharedSegment;
  readonly #runner: ExpertRunner;
  readonly #tracer: Tracer;
  readonly #slots: ExpertSlots;
  readonly #asked: WordQueue;
  readonly #answered: WordQueue;
  /** Frames that are being computed: they write to the memory even when nobody waits for them. */
  #runningCount = 0;

  constructor(segment: SharedSegment, runner: ExpertRunner, tracer: Tracer) {
    this.#segment = segment;
    this.#runner = runner;
    this.#tracer = tracer;
    this.#slots = new ExpertSlots(segment.bytes);
    const { asked, answered } = slotQueues(segment.bytes);
    this.#asked = asked;
    this.#answered = answered;
  }

  start(): void {
    this.#segment.listen(
      () => this.#answerAll(),
      () => this.#unmapIfUnused(),
    );
    this.#answerAll();
  }

  #answerAll(): void {
    do {
      for (let slot = this.#next(); slot !== undefined; slot = this.#next()) this.#answer(slot);
    } while (this.#segment.isOpen && !this.#asked.sleep());
  }

  #next(): number | undefined {
    return this.#segment.isOpen ? this.#asked.take() : undefined;
  }

  #answer(slot: number): void {
    const asked = this.#slots.asked(slot);
    const valueCount = asked === undefined ? 0 : asked.frame.rowCount * this.#runner.hiddenSize;
    if (asked === undefined || valueCount > SLOT_VALUES_MAX) {
      // A process that writes such is not to be understood: it goes on over the stream.
      this.#segment[Symbol.dispose]();
      return;
    }
    const { turn, frame } = asked;
    const running = this.#run(slot, frame, valueCount);
    if (!(running instanceof Promise)) {
      this.#done(slot, turn, running !== undefined);
      return;
    }
    this.#runningCount += 1;
    void running.then((fault) => {
      this.#runningCount -= 1;
      this.#done(slot, turn, fault !== undefined);
      this.#unmapIfUnused();
    });
  }

  #run(slot: number, frame: SlotFrame, valueCount: number) {
    const rows = () => {
      const { z, y } = this.#slots.rows(slot, valueCount);
      return { z_aD: z, y_aD: y };
    };
    return runFrame(this.#runner, { ...frame, byteCount: valueCount * FLOAT_BYTES }, rows, this.#tracer);
  }

  #done(slot: number, turn: number, isRefused: boolean): void {
    if (!this.#segment.isOpen) return;
    this.#slots.answer(slot, turn, isRefused);
    if (this.#answered.push(slot)) this.#segment.ring();
  }

  #unmapIfUnused(): void {
    if (!this.#segment.isOpen && this.#runningCount === 0) this.#segment.unmap();
  }
}
