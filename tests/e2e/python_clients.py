"""Asks a cluster by today's Python clients; prints `all well`. Used by python-clients.spec.ts: python_clients.py URL."""

import json
import os
import sys

import httpx

# LiteLLM would ask the network for prices, three times.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

url = sys.argv[1]
TOO_LONG = "a b c " * 400_000


def langchain() -> None:
    from langchain_core.exceptions import ContextOverflowError
    from langchain_openai import ChatOpenAI, OpenAI

    text = OpenAI(base_url=url, api_key="none", model="nano", max_tokens=3, temperature=0)
    assert len(text.invoke("The capital of")) > 0
    assert len(text.generate(["The capital of", "Once upon"]).generations) == 2
    assert "".join(text.stream("Once upon")) != ""
    chat = ChatOpenAI(base_url=url, api_key="none", model="nano", temperature=0)
    assert chat.invoke("What is the capital of France?").content == "The capital of France is Paris."
    try:
        chat.invoke(TOO_LONG)
    except ContextOverflowError:
        return
    raise AssertionError("a full context is no ContextOverflowError")


def litellm() -> None:
    import litellm as client

    asked = {"model": "openai/nano", "api_base": url, "api_key": "none"}
    message = {"role": "user", "content": "What is the capital of France?"}
    answer = client.completion(**asked, messages=[message], temperature=0)
    assert answer.choices[0].message.content == "The capital of France is Paris."
    try:
        client.completion(**asked, messages=[{"role": "user", "content": TOO_LONG}])
    except client.ContextWindowExceededError:
        return
    raise AssertionError("a full context is no ContextWindowExceededError")


def lines() -> None:
    prompt = "a\u0085\u2028\u2029\v\f\x1c\x1d\x1eb"
    body = {"model": "nano", "prompt": prompt, "echo": True, "stream": True, "max_tokens": 1}
    text = ""
    with httpx.stream("POST", f"{url}/completions", json=body, timeout=60) as response:
        for line in response.iter_lines():
            if not line.startswith("data: {"):
                assert line in ("", "data: [DONE]") or line.startswith(":"), line
                continue
            text += "".join(choice["text"] for choice in json.loads(line[6:])["choices"])
    assert text.startswith(prompt), text


for check in (lines, langchain, litellm):
    check()
    print(check.__name__, file=sys.stderr)
print("all well")
