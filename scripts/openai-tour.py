"""A tour of a running server by the official Python SDK, with no workaround:

    pip install openai && python scripts/openai-tour.py [http://127.0.0.1:8080/v1]

Prints a line for each stop and ends with 1 at the first that fails. Needs the bundled models.
"""

import json
import sys

import openai
from openai import OpenAI

client = OpenAI(
    base_url=sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8080/v1",
    api_key="none",
    max_retries=0,
)
model = "village"
messages = [{"role": "user", "content": "Where is the old bridge, guard?"}]
seeded = dict(model=model, messages=messages, seed=7, max_tokens=24)


def stop(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'} {name} {detail}")
    if not passed:
        sys.exit(1)


ids = sorted(item.id for item in client.models.list())
stop("models", ids == ["village", "village-apm"], str(ids))

plain = client.chat.completions.create(**seeded, extra_body={"attributes": {"humor": 3}})
text = plain.choices[0].message.content
stop("chat with attributes", len(text) > 10 and plain.steering["requested"]["humor"] == 3, repr(text))

chunks = list(
    client.chat.completions.create(
        **seeded,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"attributes": {"humor": 3}},
    )
)
streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
stop("stream", streamed == text and chunks[-1].usage.total_tokens == plain.usage.total_tokens)

several = client.chat.completions.create(**seeded, n=3, logprobs=True, top_logprobs=2)
stop("n", len({choice.message.content for choice in several.choices}) == 3)
shown = several.choices[0].logprobs.content
stop(
    "logprobs",
    "".join(item.token for item in shown) == several.choices[0].message.content
    and all(len(item.top_logprobs) == 2 for item in shown),
)

prompt = "The old bridge is"
scored = client.completions.create(model=model, prompt=prompt, echo=True, logprobs=1, max_tokens=0)
values = scored.choices[0].logprobs.token_logprobs
stop(
    "completions with echo",
    scored.choices[0].text == prompt and values[0] is None and all(v < 0 for v in values[1:]),
)

schema = {
    "type": "object",
    "properties": {"mood": {"enum": ["calm", "grumpy"]}, "line": {"type": "string", "maxLength": 20}},
    "required": ["mood", "line"],
    "additionalProperties": False,
}
offer = client.chat.completions.create(
    **{**seeded, "max_tokens": 80},
    response_format={
        "type": "json_schema",
        "json_schema": {"name": "offer", "schema": schema, "strict": True},
    },
)
parsed = json.loads(offer.choices[0].message.content)
stop("JSON schema", parsed["mood"] in ("calm", "grumpy"), str(parsed))

first = client.responses.create(model=model, input=messages[0]["content"], extra_body={"seed": 3})
stop("responses.create", first.status == "completed" and first.output_text != "")
with client.responses.stream(model=model, input="Thanks!", previous_response_id=first.id) as stream:
    heard = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
    second = stream.get_final_response()
stop("responses.stream", second.output_text == heard, repr(heard))
kept = client.responses.retrieve(second.id)
stop("responses.retrieve", kept.output_text == heard)
items = [item.content[0].text for item in client.responses.input_items.list(second.id, order="asc")]
stop("responses.input_items", items == [messages[0]["content"], first.output_text, "Thanks!"])
client.responses.delete(first.id)
try:
    client.responses.retrieve(first.id)
    stop("responses.delete", False)
except openai.NotFoundError as error:
    stop("responses.delete", error.code == "not_found")

vectors = client.embeddings.create(model=model, input=["Where is the bridge?", "Go away!"])
lengths = [sum(x * x for x in item.embedding) for item in vectors.data]
stop("embeddings", all(abs(length - 1) < 1e-4 for length in lengths), f"{len(vectors.data[0].embedding)} numbers")

body = {
    "model": model,
    "input": [*messages, {"role": "assistant", "content": "Get lost, you stinking fool."}],
    "questions": [
        {"type": "score", "name": "toxicity", "instructions": "How rude is the reply?", "levels": [{"label": str(i)} for i in range(5)]},
        {"type": "predicate", "instructions": "Is a way described?"},
    ],
}
if hasattr(client, "decisions"):
    answers = client.decisions.create(**body).to_dict()["answers"]
else:
    answers = client.post("/decisions", cast_to=object, body=body)["answers"]
stop("decisions", answers[0]["score"] > 2 and 0 <= answers[1]["probability"] <= 1, str(answers[0]["score"]))

for name, change, kind in [
    ("unknown model", {"model": "gpt"}, openai.NotFoundError),
    ("bad temperature", {"temperature": 9}, openai.BadRequestError),
]:
    try:
        client.chat.completions.create(**{**seeded, **change})
        stop(name, False)
    except kind as error:
        stop(name, error.param in ("model", "temperature"), error.code)

endless = dict(model=model, messages=messages, max_tokens=900, extra_body={"ignore_eos": True})
streams = [client.chat.completions.create(**endless, stream=True) for _ in range(8)]
for each in streams:
    next(iter(each))
    each.close()
stop("abort", client.chat.completions.create(**seeded).choices[0].message.content != "")
