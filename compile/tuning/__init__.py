"""The autotuner, whose logs are the product.

task.py       what there is to tune in a network
search.py     which point of a space to try next
experience.py what other logs teach about that before the first trial
candidate.py  one point, examined: right answers, then cycles
modelled.py   many of them, in worker processes
measure.py    many of them, on boards that may fail
tuner.py      the search over a network
curve.py      how its cost fell, as a picture
record.py     one result as a line of JSON, checked field by field
log.py        a file of records that neither a crash nor a second writer spoils
log_cores.py  the cores that logs are kept for, and which may stand in for another
decisions.py  what records decide for a core
verify.py     the records of logs, replayed
"""
