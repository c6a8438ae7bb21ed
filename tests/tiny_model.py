"""A real, tiny model folder in Tandem's exported format, built without torch, whose vectors mean something.

Words of one synonym group lie close together, inflections lie close to their stem, and unrelated words are nearly
orthogonal. A word outside the vocabulary is cut into letter pairs, so that two unknown words differ as well.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from retrieval.encoder import OnnxEncoder
from retrieval.model_folder import (
    GRAPH,
    TOKENIZER,
    Manifest,
    ModelFolder,
    Precision,
    Recipe,
    file_records,
    sha256_of,
    write_manifest,
)
from retrieval.query_map import QUERY_MAP, TENSOR
from retrieval.trained_model import FORMAT, PROVENANCE
from retrieval.types import FloatArray

DIMENSIONS = 64
MAX_TOKENS = 256

SYNONYMS = (
    "car automobile vehicle",
    "dog puppy hound",
    "cat kitten feline",
    "fast quick rapid speedy",
    "big large huge",
    "start begin launch",
    "stop halt end finish",
    "error failure fault mistake bug",
    "delete remove erase",
    "make create build",
    "fix repair mend",
    "show display print",
    "search find lookup query",
    "picture image photo",
    "house home building",
    "buy purchase",
    "password credential secret",
    "money price cost payment",
    "bread loaf baguette",
    "doctor physician medic",
    "function method routine",
    "thread concurrency parallel",
    "database sql table",
    "test check verify",
)

STOP_WORDS = (
    "a an and are as at be but by can do does for from had has have how i if in into is it its my no not of on or "
    "our so than that the their then there these they this to was we were what when where which who why will with "
    "you your"
)

WORDS = (
    "about account address after again air all also animal answer any api app apple area argument array art async "
    "away back bake baker ball bank base batch bear beautiful because bed before best better between bird black "
    "block blue boat body book box boy branch bring bridge browser cache call case chain change chapter child "
    "choose city class clean clear clock cloud coat code coffee cold color column come command comment commit "
    "common compile compute config connect container content cook copy corn count country course cover cup "
    "current cut cycle danger dark data date day deep default deploy desk detail develop dinner directory disk "
    "docker document door down draw dream drink drive dry duck each early earth east easy eat edit egg eight "
    "electric else email empty engine english enough environment equal event every example exception exercise "
    "expect export eye face fail fall family far farm father field fight figure file fill film filter fire first "
    "fish five flag floor flour flower fly folder follow food foot force forest form format four free fresh "
    "friend frog front fruit full fun garden gas gate get git give glass go goat gold good grass great green "
    "ground group grow guide hair half hand hard hat head hear heart heat heavy help here high hill hold hole "
    "horse host hot hour html http hundred ice idea import index information inside install integer interest "
    "internet iron island java job join jump keep key kind king kitchen know lake land language last late laugh "
    "law lead leaf learn leave left leg letter level library life light line link list listen little load local "
    "lock log long look loop love low lunch machine mail man manage many map march mark market math matter meal "
    "mean measure meat medicine meet memory merge message metal middle milk mind minute mirror model module moon "
    "more morning mother mountain mouse mouth move much music name nature near neck need network new next night "
    "nine node noise north nose note nothing number object ocean off office oil old one only open option orange "
    "order other out oven over own package page paint pair paper parameter parent park parse part party pass "
    "paste path pattern pay pen people pepper person phone piano piece pipe plan plane plant plate play please "
    "point poor port post pot power present press private problem process produce program project property public "
    "pull push put python question queue quiet race radio rain random read real reason recipe record red "
    "reference release request rest result return rice rich right ring river road rock roof room root round route "
    "row rule run rust sail salt same sample sand save say school science screen script sea season second section "
    "security see seed sell send sentence server session set seven shape shell ship shirt shoe shop short side "
    "sign simple sing single sister six size sky sleep slice slow small smile smooth snow soap socket soft "
    "software some son song soon sort sound soup source south space speak speed spring square stack staff stage "
    "star state station stay step stone store storm story straight stream street string strong student style "
    "sugar summer sun support sure sweet swim switch syntax system tag take talk tall task teach team template "
    "ten term text thing think three throw ticket time title today together token tool tooth top touch tower town "
    "track trade train travel tree trip true try turn two type under unit update upload url use user value "
    "variable vector version very video view village visit voice wait walk wall want warm wash watch water wave "
    "way weather web week weight west wheat wheel white wide wife wind window wine winter wire woman wood word "
    "work world write year yeast yellow yes young zero"
)

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_SUFFIXES = ("s", "es", "d", "ed", "ing", "er", "ly")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def build_tiny_model(folder: Path, *, name: str = "tiny", salt: str = "", max_tokens: int = MAX_TOKENS) -> Path:
    """Write the model into `folder` and return it; another `salt` gives another model with other vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    graph, tokenizer = _files(salt)
    (folder / GRAPH).write_bytes(graph)
    (folder / TOKENIZER).write_bytes(tokenizer)
    write_manifest(folder, _manifest(folder, name, max_tokens))
    return folder


def exchange(encoder: OnnxEncoder, one: str, other: str) -> FloatArray:
    """The map that takes the vector of one word to that of another, and back; what is far from both stays."""
    apart = np.subtract(*encoder.encode_queries([one, other])).astype(np.float64)
    return np.asarray(np.eye(len(apart)) - 2 * np.outer(apart, apart) / (apart @ apart), dtype=np.float32)


def build_adapter(folder: Path, base: ModelFolder, query_map: FloatArray) -> Path:
    """Write what a training of a query map over a base leaves."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({TENSOR: np.ascontiguousarray(query_map)}, folder / QUERY_MAP)
    write_provenance(folder, base, method="adapter")
    return folder


def write_provenance(folder: Path, base: ModelFolder, **more: object) -> Path:
    """Write what a training over a base says of itself."""
    name, fingerprint = base.manifest.name, base.manifest.fingerprint
    told = {"format": FORMAT, "base": {"name": name, "fingerprint": fingerprint}, "lambda": 1.0, "seed": 0, **more}
    (folder / PROVENANCE).write_text(json.dumps(told))
    return folder


@cache
def _files(salt: str) -> tuple[bytes, bytes]:
    tokenizer = _tokenizer()
    return _graph(_embeddings(tokenizer, salt)).SerializeToString(), tokenizer.to_str().encode("utf-8")


def _manifest(folder: Path, name: str, max_tokens: int) -> Manifest:
    recipe = Recipe(
        weights=sha256_of(folder / GRAPH),
        tokenizer=sha256_of(folder / TOKENIZER),
        config="",
        pooling="mean",
        normalize=True,
        query_prompt="",
        passage_prompt="",
        max_tokens=max_tokens,
        precision=Precision.FLOAT32,
    )
    return Manifest(
        name=name,
        fingerprint=recipe.fingerprint,
        dimensions=DIMENSIONS,
        recipe=recipe,
        pad_id=0,
        source="tests",
        exported_at="2026-01-01T00:00:00+00:00",
        files=file_records(folder),
    )


def _tokenizer() -> Tokenizer:
    pairs = [(a, b) for a in _LETTERS for b in _LETTERS]
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [*_SPECIAL, *bytes_, *map(chr, range(33, 127)), *(a + b for a, b in pairs), *_words()]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    # ignore_merges takes a whole word from the vocabulary; only unknown words fall back to letter pairs.
    model = models.BPE(vocab=vocabulary, merges=pairs, unk_token="[UNK]", byte_fallback=True, ignore_merges=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.add_special_tokens(list(_SPECIAL))
    return tokenizer


def _words() -> Iterator[str]:
    for stem in [*STOP_WORDS.split(), *" ".join(SYNONYMS).split(), *WORDS.split()]:
        yield stem
        yield from _inflections(stem)


def _inflections(stem: str) -> Iterator[str]:
    for suffix in _SUFFIXES:
        yield stem + suffix
        if stem.endswith("e") and suffix in {"ing", "er", "ed"}:
            yield stem[:-1] + suffix
        if suffix in {"ing", "er", "ed"}:
            yield stem + stem[-1] + suffix


def _embeddings(tokenizer: Tokenizer, salt: str) -> FloatArray:
    """The table of shape (vocabulary, DIMENSIONS)."""
    meanings = _meanings(salt)
    vocabulary = tokenizer.get_vocab()
    table = np.zeros((len(vocabulary), DIMENSIONS), dtype=np.float32)
    for piece, row in vocabulary.items():
        table[row] = meanings.get(piece, _direction(salt + piece))
    for piece in (*_SPECIAL, *STOP_WORDS.split(), *map(chr, range(33, 48))):
        table[vocabulary[piece]] *= 0.05  # they occur everywhere and mean little; not zero: an empty text has a vector
    return table


def _meanings(salt: str) -> dict[str, FloatArray]:
    group = {word: synonyms for synonyms in SYNONYMS for word in synonyms.split()}
    meanings: dict[str, FloatArray] = {}
    for stem in [*WORDS.split(), *group]:
        shared = _direction(salt + group.get(stem, stem))
        meanings[stem] = _mixed(shared, _direction(salt + stem), 0.4)
        for inflected in _inflections(stem):
            meanings.setdefault(inflected, _mixed(meanings[stem], _direction(salt + inflected), 0.3))
    return {**meanings, **{stem: meanings[stem] for stem in [*WORDS.split(), *group]}}


def _mixed(shared: FloatArray, own: FloatArray, share: float) -> FloatArray:
    mixed = shared + share * own
    return np.asarray(mixed / np.linalg.norm(mixed), dtype=np.float32)


def _direction(seed: str) -> FloatArray:
    """A unit vector that depends on nothing but `seed`, on every platform and with every NumPy."""
    digest = hashlib.shake_256(seed.encode("utf-8")).digest(4 * DIMENSIONS)
    values = np.frombuffer(digest, dtype="<u4").astype(np.float64) / 2**32 - 0.5
    return np.asarray(values / np.linalg.norm(values), dtype=np.float32)


def _graph(table: FloatArray) -> onnx.ModelProto:
    """Look up, average over the mask, scale to length 1."""
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens_axis"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last_axis"),
    ]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["vectors"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last_axis"], ["weights"]),
        helper.make_node("Mul", ["vectors", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens_axis"], ["sum"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "tokens_axis"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("LpNormalization", ["mean"], ["embedding"], axis=1, p=2),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSIONS])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
