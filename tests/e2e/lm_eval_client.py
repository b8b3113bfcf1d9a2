"""Has lm-eval score and ask a cluster at its default settings; prints `all well`. Used by python-clients.spec.ts: lm_eval_client.py URL."""

import json
import os
import pathlib
import sys
import tempfile

url = sys.argv[1]
folder = tempfile.TemporaryDirectory()
# The tasks and their documents are here: nothing is asked of a hub, and nothing stays.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_HOME=folder.name)

import lm_eval

CAPITALS = {"France": "Paris", "Japan": "Tokyo", "Italy": "Rome"}


def task(folder: pathlib.Path, name: str, documents: list[dict], settings: dict) -> dict:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in documents))
    data = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(path)}}, "test_split": "test"}
    return {"task": name, **data, "metadata": {"version": 1}, **settings}


def evaluate(model: str, path: str, tasks: list[dict], **settings) -> dict:
    named = {"model": "nano", "base_url": f"{url}/{path}"}
    results = lm_eval.simple_evaluate(model=model, model_args=named, tasks=tasks, bootstrap_iters=0, **settings)
    return results["results"]


def metric(results: dict, name: str, key: str) -> float:
    value = results[name][f"{key},none"]
    assert value == value and abs(value) != float("inf"), (name, value)
    return value


with folder:
    root = pathlib.Path(folder.name)
    documents = [
        {
            "question": f"What is the capital of {country}?",
            "begin": f"The capital of {country} is",
            "answer": f"The capital of {country} is {city}.",
            "choices": list(CAPITALS.values()),
            "city": city,
        }
        for country, city in CAPITALS.items()
    ]
    ask = {"output_type": "generate_until", "doc_to_text": "{{question}}", "doc_to_target": "{{answer}}"}
    match = {"metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}]}
    until = {"generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 24}}
    answers = task(root, "answers", documents, {**ask, **match, **until})
    chosen = task(
        root,
        "chosen",
        documents,
        {
            "output_type": "multiple_choice",
            "doc_to_text": "{{begin}}",
            "doc_to_choice": "choices",
            "doc_to_target": "{{choices.index(city)}}",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        },
    )
    perplexity = {"metric": "word_perplexity", "aggregation": "weighted_perplexity", "higher_is_better": False}
    whole = {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{answer}}"}
    rolled = task(root, "rolled", documents, {**whole, "metric_list": [perplexity]})
    scores = evaluate("local-completions", "completions", [chosen, rolled, answers])
    assert 0 <= metric(scores, "chosen", "acc") <= 1
    assert metric(scores, "rolled", "word_perplexity") > 1
    metric(scores, "answers", "exact_match")
    chat = evaluate("local-chat-completions", "chat/completions", [answers], apply_chat_template=True)
    assert metric(chat, "answers", "exact_match") == 1, chat
print("all well")
