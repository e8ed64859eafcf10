"""Each field of a record holds what its row says, or is named in the error."""

from __future__ import annotations

import json

import pytest

from compile.tuning.record import RecordError, parse_record, record_line
from compile.tuning.record_fields import FIELDS
from tests.tuning_records import record


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_another_type_is_refused_by_its_name(name: str) -> None:
    fields = json.loads(record_line(record()))
    fields[name] = None
    with pytest.raises(RecordError, match=name):
        parse_record(json.dumps(fields))


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name: str) -> None:
    fields = json.loads(record_line(record()))
    del fields[name]
    with pytest.raises(RecordError, match=name):
        parse_record(json.dumps(fields))


@pytest.mark.parametrize("samples", [[], [0.0], [-1.0], [True], ["1"]])
def test_an_ok_record_has_positive_samples(samples: list[object]) -> None:
    fields = json.loads(record_line(record())) | {"samples": samples}
    with pytest.raises(RecordError, match="samples"):
        parse_record(json.dumps(fields))
