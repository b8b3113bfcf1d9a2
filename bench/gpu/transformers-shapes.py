"""Decode steps of Scout's true shapes by Hugging Face's transformers, bf16, random weights: what model pages say to run, beside which scout-shapes.ts is measured.

transformers-shapes.py [--layers 8] [--batches 1,8,32] [--context 1000] [--steps 10] [--tiny]. Needs torch and transformers. Prints milliseconds a step of so many layers and the
head, as it is called and recorded as a CUDA graph, and what of it a layer takes; all 48 layers in bf16 do not fit on one card.
"""

import argparse
import statistics
import time

import torch
import transformers
from transformers import Llama4ForCausalLM, Llama4TextConfig, StaticCache

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=int, default=8)
parser.add_argument("--batches", default="1,8,32")
parser.add_argument("--context", type=int, default=1000)
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--tiny", action="store_true")
args = parser.parse_args()
device = "cpu" if args.tiny else "cuda"
WIDE = dict(hidden_size=5120, intermediate_size=8192, intermediate_size_mlp=16384, num_attention_heads=40, num_key_value_heads=8, head_dim=128, vocab_size=202048)
TINY = dict(hidden_size=64, intermediate_size=64, intermediate_size_mlp=64, num_attention_heads=4, num_key_value_heads=2, head_dim=16, vocab_size=512)


def model():
    """Weights of a normal distribution, made where they are."""
    config = Llama4TextConfig(
        num_hidden_layers=args.layers, num_local_experts=16, interleave_moe_layer_step=1, max_position_embeddings=16384, attention_chunk_size=8192,
        rope_theta=500000.0, pad_token_id=0, bos_token_id=1, eos_token_id=2, **(TINY if args.tiny else WIDE),
    )
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("meta"):
        made = Llama4ForCausalLM(config)
    made = made.to_empty(device=device).eval()
    with torch.no_grad():
        for weights in made.parameters():
            if weights.dim() == 1:
                weights.fill_(1.0)
            else:
                weights.normal_(0, weights.shape[-1 if weights.dim() == 2 else -2] ** -0.5)
    # Its buffers are computed, not loaded.
    made.model.rotary_emb = type(made.model.rotary_emb)(config).to(device)
    return made, config


def wait():
    if device == "cuda":
        torch.cuda.synchronize()


def median_ms(step, count):
    times = []
    for _ in range(count):
        wait()
        began = time.perf_counter()
        step()
        wait()
        times.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times)


def graph_of(step):
    """The step recorded once, behind two runs on the stream that records it."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(2):
            step()
    wait()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph


@torch.no_grad()
def measure(made, config, batch):
    cache = StaticCache(config=config, max_cache_len=args.context + args.steps + 16)
    for first in range(0, args.context, 256):
        count = min(256, args.context - first)
        ids = torch.randint(0, 500, (batch, count), device=device)
        made(input_ids=ids, past_key_values=cache, cache_position=torch.arange(first, first + count, device=device), use_cache=True, logits_to_keep=1)
    ids = torch.randint(0, 500, (batch, 1), device=device)
    position = torch.tensor([args.context], device=device)
    step = lambda: made(input_ids=ids, past_key_values=cache, cache_position=position, use_cache=True, logits_to_keep=1)
    for _ in range(3):
        step()
    line = f"transformers, batch {batch}, {args.context} cached: {median_ms(step, args.steps):.2f} ms a step of {args.layers} layers and the head"
    if device == "cuda":
        try:
            ms = median_ms(graph_of(step).replay, args.steps)
            line += f"; as a CUDA graph {ms:.2f} ms, {ms / args.layers:.3f} a layer with its part of the head"
        except RuntimeError as error:
            line += f"; no CUDA graph: {str(error).splitlines()[0][:120]}"
            wait()
    print(line, flush=True)


began = time.time()
made, config = model()
wait()
print(f"transformers {transformers.__version__}, torch {torch.__version__}, {args.layers} layers in bf16, made in {time.time() - began:.1f} s", flush=True)
for batch in map(int, args.batches.split(",")):
    measure(made, config, batch)
