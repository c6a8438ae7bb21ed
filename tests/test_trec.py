"""TREC and BEIR text: what is written is read back, whatever the ids."""

from pathlib import Path

import ir_measures
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import UsageError
from trainer.qrels import read_qrels
from trainer.trec import (
    decoded,
    encoded,
    parse_run,
    rendered_beir_qrels,
    rendered_run,
    rendered_trec_qrels,
    write_runs,
)

IDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8)


@given(IDS)
def test_an_encoded_id_has_no_space_and_comes_back(text: str) -> None:
    assert not any(c.isspace() for c in encoded(text))
    assert decoded(encoded(text)) == text


@given(st.dictionaries(IDS, st.dictionaries(IDS, st.floats(-1e6, 1e6), min_size=1), max_size=3))
def test_a_run_comes_back(run: dict[str, dict[str, float]]) -> None:
    assert parse_run(rendered_run(run, "hybrid@a b")) == run


def test_a_run_is_best_first_with_ranks_from_1() -> None:
    text = rendered_run({"q": {"b": 1.0, "a": 2.5, "c d": 1.0}}, "keyword")
    assert text == "q Q0 a 1 2.5 keyword\nq Q0 b 2 1.0 keyword\nq Q0 c%20d 3 1.0 keyword\n"


def test_ir_measures_reads_what_is_written(tmp_path: Path) -> None:
    write_runs(tmp_path / "new", {"keyword": {"q": {"a": 2.0, "b": 1.0}}}, {"q": {"b": 1}})
    qrels = ir_measures.read_trec_qrels(str(tmp_path / "new" / "qrels.trec"))  # type: ignore[no-untyped-call]  # it is not annotated
    run = ir_measures.read_trec_run(str(tmp_path / "new" / "keyword.trec"))  # type: ignore[no-untyped-call]  # it is not annotated
    assert ir_measures.calc_aggregate([ir_measures.RR @ 10], qrels, run) == {ir_measures.RR @ 10: 0.5}


@pytest.mark.parametrize("rendered", [rendered_beir_qrels, rendered_trec_qrels])
def test_judgments_come_back(tmp_path: Path, rendered: object) -> None:
    assert callable(rendered)
    qrels = {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}
    (tmp_path / "qrels").write_text(rendered(qrels))
    assert read_qrels(tmp_path / "qrels") == qrels


def test_beir_cannot_carry_a_tab() -> None:
    with pytest.raises(UsageError, match="--format trec"):
        rendered_beir_qrels({"q\t1": {"d": 1}})


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write_runs(tmp_path / "file", {}, {})
