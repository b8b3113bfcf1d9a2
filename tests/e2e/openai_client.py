"""Uses Drover through the official Python client. Usage: openai_client.py http://127.0.0.1:8080/v1. Prints `all well` in the end."""
import json
import sys

import openai

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
model = client.models.list().data[0].id


def ask(text):
    return dict(model=model, temperature=0, messages=[{"role": "user", "content": text}])


def check(condition, what):
    if not condition:
        sys.exit(f"not so: {what}")


answer = client.chat.completions.create(**ask("What is the capital of France?"))
check(answer.choices[0].message.content == "The capital of France is Paris.", "a chat is answered rightly")

chunks = list(client.chat.completions.create(**ask("What is the capital of France?"), stream=True, stream_options={"include_usage": True}))
text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
check(text == answer.choices[0].message.content, "a streamed chat is the same text")
check(chunks[-1].usage == answer.usage, "the last chunk carries the usage")

text = "".join(chunk.choices[0].delta.content or "" for chunk in client.chat.completions.create(**ask('How do you say "thank you" in Hindi?'), stream=True))
check(text == "धन्यवाद", "Hindi streams as whole characters")

prompt = "The capital of France is"
echo = client.completions.create(model=model, prompt=prompt, echo=True, logprobs=1, max_tokens=0).choices[0]
check(echo.text == prompt and echo.logprobs.token_logprobs[0] is None, "echo gives the prompt")
check(all(value <= 0 for value in echo.logprobs.token_logprobs[1:]), "and its log-probabilities")

drawn = [client.completions.create(model=model, prompt="Once upon a time", n=2, seed=7, temperature=1.5, max_tokens=24) for _ in range(2)]
check([c.text for c in drawn[0].choices] == [c.text for c in drawn[1].choices], "a seed fixes every choice")

stopped = client.chat.completions.create(**ask("What is the capital of France?"), stop="France")
check(stopped.choices[0].message.content == "The capital of ", "a stop string ends the text before itself")

schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
tools = [{"type": "function", "function": {"name": "get_time", "parameters": schema}}]
called = client.chat.completions.create(**ask("What time is it in Paris?"), tools=tools).choices[0]
calls = called.message.tool_calls
check(called.finish_reason == "tool_calls" and len(calls) == 1, "a tool is called")
check((calls[0].function.name, json.loads(calls[0].function.arguments)) == ("get_time", {"city": "Paris"}), "with its arguments")
with client.chat.completions.stream(**ask("What time is it in Paris?"), tools=tools) as stream:
    streamed = stream.get_final_completion().choices[0]
check(streamed.message.tool_calls[0].function.arguments == calls[0].function.arguments, "a streamed call is the same")
result = {"role": "tool", "tool_call_id": calls[0].id, "content": "10:30"}
messages = [{"role": "user", "content": "What time is it in Paris?"}, called.message, result]
check(client.chat.completions.create(model=model, temperature=0, messages=messages, tools=tools).choices[0].message, "its result goes back in")

for wrong, error, param in [({"max_tokens": -1}, openai.BadRequestError, "max_tokens"), ({"model": "gpt"}, openai.NotFoundError, "model")]:
    try:
        client.chat.completions.create(**(ask("Hi") | wrong))
    except error as fault:
        check(fault.param == param, f"the error names {param}")
    else:
        check(False, f"a wrong {param} is refused")

print("all well")
