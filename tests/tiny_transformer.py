"""A tiny real sentence-transformers folder, and pairs that it can learn from; both are made without torch.

A query names two topics by one word each, a passage by others, so that the base, whose vectors follow words, ranks not
much better than at random; tuned on some pairs of topics, it can rank pairs of topics that it has not seen.
"""

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from retrieval.model_source import SourceModel
from trainer.training_set import BaseVectors, DevQuery, TrainingPair, TrainingSet, TrainingSettings

SIZE, LAYERS, INNER = 32, 2, 64
MAX_TOKENS = 24
TOPICS = 12
LIKE = 0.5
"""How much of the word that asks for a topic the base finds in the word that a passage has for it."""
ASKED = [f"ask{number}" for number in range(TOPICS)]
SAID = [f"say{number}" for number in range(TOPICS)]
FILLER = [f"filler{number}" for number in range(8)]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "find", "text", *ASKED, *SAID, *FILLER]

MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
]
FILES = {
    "modules.json": MODULES,
    "config.json": {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(WORDS),
        "hidden_size": SIZE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": INNER,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    },
    "sentence_bert_config.json": {"max_seq_length": MAX_TOKENS, "do_lower_case": False},
    "config_sentence_transformers.json": {"prompts": {"query": "find ", "document": "text "}},
    "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": MAX_TOKENS},
    "1_Pooling/config.json": {"word_embedding_dimension": SIZE, "pooling_mode_mean_tokens": True},
}


def build_tiny_transformer(folder: Path, *, seed: int = 0) -> Path:
    """Write the model into `folder` and return it."""
    for name in ("1_Pooling", "2_Normalize"):
        (folder / name).mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    _tokenizer().save(str(folder / "tokenizer.json"))
    save_file(_weights(np.random.default_rng(seed)), folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tiny_training_set(
    base: Path, settings: TrainingSettings | None = None, *, pairs: int = 48, seed: int = 0
) -> TrainingSet:
    """Return pairs of the tiny model's topics, and dev queries about other combinations of them."""
    settings = settings or TrainingSettings(epochs=2, batch_size=8, learning_rate=3e-3, negatives=1, evaluations=3)
    rng = np.random.default_rng(seed)
    topics = [tuple(pair) for pair in rng.permutation(list(combinations(range(TOPICS), 2))).tolist()]
    train, held = topics[:pairs], topics[pairs:]
    passages = [_passage(topic, rng) for topic in held]
    dev = [DevQuery(_query(topic), (place,), "mined:title", f"dev{place}") for place, topic in enumerate(held)]
    made = [_pair(topic, number, settings.negatives, rng) for number, topic in enumerate(train)]
    return TrainingSet(
        base_name="tiny",
        base_fingerprint=SourceModel.read(base).recipe().fingerprint,
        settings=settings,
        pairs=made,
        dev=dev,
        passages=passages,
        vectors=BaseVectors(
            queries=word_vectors([pair.query for pair in made]),
            passages=word_vectors([pair.passage for pair in made]),
            negatives=word_vectors([text for pair in made for text in pair.negatives]).reshape(len(made), -1, SIZE),
            dev_queries=word_vectors([query.query for query in dev]),
            dev_passages=word_vectors(passages),
        ),
        split={"held_out": "by chance"},
    )


def word_vectors(texts: Sequence[str]) -> NDArray[np.float16]:
    """Return unit vectors of texts: the sum of their words' embeddings, which is nearly what the tiny model gives."""
    table = _weights(np.random.default_rng(0))["embeddings.word_embeddings.weight"]
    sums = [np.sum([table[WORDS.index(word)] for word in text.split()], axis=0) for text in texts]
    found = np.array(sums, np.float32).reshape(-1, SIZE)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float16)


def _query(topic: Sequence[int]) -> str:
    return " ".join(ASKED[number] for number in topic)


def _passage(topic: Sequence[int], rng: np.random.Generator) -> str:
    filler = [FILLER[number] for number in rng.integers(len(FILLER), size=int(rng.integers(2, 9)))]
    return " ".join([*(SAID[number] for number in topic), *filler])


def _pair(topic: Sequence[int], number: int, negatives: int, rng: np.random.Generator) -> TrainingPair:
    others = rng.permutation([other for other in range(TOPICS) if other not in topic])
    chosen = [others[2 * place : 2 * place + 2].tolist() for place in range(negatives)]
    return TrainingPair(
        query=_query(topic),
        passage=_passage(topic, rng),
        negatives=tuple(_passage(other, rng) for other in chosen),
        source="mined:title" if number % 3 else "mined:heading",
        weight=1.0 if number % 3 else 0.5,
        group=f"group{number // 2}",
    )


def _tokenizer() -> Tokenizer:
    numbers = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.add_special_tokens(WORDS[:5])
    return tokenizer


def _weights(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Return BERT's weights: words far apart, and layers that change little of what they are given."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (len(WORDS), SIZE),
        "embeddings.position_embeddings.weight": (32, SIZE),
        "embeddings.token_type_embeddings.weight": (2, SIZE),
        **_pair_of("pooler.dense", SIZE, SIZE),
    }
    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _pair_of(f"{layer}.attention.{name}", SIZE, SIZE)
        shapes |= _pair_of(f"{layer}.intermediate.dense", INNER, SIZE) | _pair_of(f"{layer}.output.dense", SIZE, INNER)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    sizes = {"embeddings.word_embeddings.weight": 1.0}
    weights = {
        name: (rng.standard_normal(shape) * sizes.get(name, 0.02)).astype(np.float32) for name, shape in shapes.items()
    }
    words = weights["embeddings.word_embeddings.weight"]
    words[[WORDS.index(word) for word in SAID]] += LIKE * words[[WORDS.index(word) for word in ASKED]]
    for name in norms:
        weights |= {f"{name}.weight": np.ones(SIZE, np.float32), f"{name}.bias": np.zeros(SIZE, np.float32)}
    return weights


def _pair_of(name: str, rows: int, columns: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (rows, columns), f"{name}.bias": (rows,)}
