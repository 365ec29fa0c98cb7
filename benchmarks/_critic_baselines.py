"""Other ways to score with a reward model: what people do today. All of them, side by side."""

import threading

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

Samples = list[tuple[str, str]]


def _messages(prompt: str, completion: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]


class PerSample:
    """The loop that model cards show: template, tokens, forward, one sample after another."""

    def __init__(self, folder: str, device: str = "cpu"):
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = (
            AutoModelForSequenceClassification.from_pretrained(folder, dtype=dtype)
            .to(device)
            .eval()
        )

    def __call__(self, samples: Samples) -> list[float]:
        scores = []
        for prompt, completion in samples:
            ids = self.tokenizer.apply_chat_template(
                _messages(prompt, completion), return_tensors="pt", return_dict=False
            )
            with torch.inference_mode():
                scores.append(self.model(ids.to(self.model.device)).logits[0, 0].item())
        return scores


class Pipeline:
    """Transformers' text-classification pipeline, batches of 8."""

    def __init__(self, folder: str, device: str = "cpu"):
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        self.pipeline = pipeline("text-classification", folder, device=device, dtype=dtype)

    def __call__(self, samples: Samples) -> list[float]:
        tokenizer = self.pipeline.tokenizer
        texts = [
            tokenizer.apply_chat_template(_messages(*sample), tokenize=False) for sample in samples
        ]
        with torch.inference_mode():
            found = self.pipeline(texts, batch_size=8, function_to_apply="none")
        return [row["score"] for row in found]


class SentenceTransformers:
    """sentence-transformers' CrossEncoder.predict, batches of 32 sorted by length."""

    def __init__(self, folder: str, device: str = "cpu"):
        from sentence_transformers import CrossEncoder  # only the benchmark needs it

        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        self.encoder = CrossEncoder(folder, device=device, model_kwargs={"dtype": dtype})

    def __call__(self, samples: Samples) -> list[float]:
        found = self.encoder.predict(
            [_messages(*sample) for sample in samples],
            batch_size=32,
            activation_fn=torch.nn.Identity(),  # its default is a sigmoid
            show_progress_bar=False,
        )
        return found.tolist()


class Locked:
    """One model that threads share: a lock around the per-sample loop."""

    def __init__(self, folder: str, device: str = "cpu"):
        self.per_sample = PerSample(folder, device)
        self._lock = threading.Lock()

    def __call__(self, prompt: str, completion: str) -> float:
        with self._lock:
            [score] = self.per_sample([(prompt, completion)])
        return score
