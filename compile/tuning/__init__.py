"""The autotuner, whose logs are the product.

task.py        what there is to tune in a network
search.py      which point of a space to try next
experience.py  what other logs teach about that before the first trial
candidate.py   one point, examined: right answers, then cycles
integers.py    what one of int8 is tried with, and its right answers
modelled.py    many of them, in worker processes
builder.py     many of them built for boards, in worker processes
measure.py     many of them, on boards that may fail
one_board.py   one of these boards: answers, times
clock.py       whether it kept its clock meanwhile
tuner.py       the search over a network
trial.py       what becomes of a trial: a record
judge.py       the best points of a kernel inside the whole network
whole.py       the whole network before and after
display.py     what one sees of all this
curve.py       how the network's cost fell, as a picture
record.py      one result as a line of JSON, and what it scores
record_fields.py  what each of its fields must hold
log.py         a log of records: appended to, and read
log_file.py    its file, which neither a crash nor a second writer spoils
log_upkeep.py  logs merged, and pruned
torn_line.py   the last line, where a crash tore it
log_cores.py   the cores that logs are kept for, and which may stand in for another
decisions.py   what records decide for a core
verify.py      the records of logs, replayed
workers.py     warm worker processes

MetaSchedule's own space, for comparison:

auto_task.py       what there is to tune in a network
plain_kernel.py    what our templates make, unscheduled
auto_search.py     the search for one kernel
auto_candidate.py  one schedule, examined
auto_tuner.py      the search over a network
auto_record.py     its records
tensor_intrinsics.py  what it need not import
"""
