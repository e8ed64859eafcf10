"""The autotuner, whose logs are the product.

task.py       what there is to tune in a network
search.py     which point of a space to try next
candidate.py  one point, examined: right answers, then cycles
modelled.py   many of them, in worker processes
measure.py    many of them, on boards that may fail
tuner.py      the search over a network
curve.py      how its cost fell, as a picture
record.py     one result as a line of JSON, checked field by field
log.py        a file of records that neither a crash nor a second writer spoils
decisions.py  what records decide for a core
verify.py     the records of logs, replayed
"""
