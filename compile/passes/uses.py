"""Who uses what in `main`, and what computes it.

    x = relu(a); y = add(x, x); return y     ->   users of x: [y], of y: [None];   bound x: relu(a)

Asked of a `main` without second names (v = w), as `mutated_main` hands it to its mutators: of two
names of one tensor each would have a share of the users.
"""

from __future__ import annotations

from collections import defaultdict

from tvm import relax


class Uses:
    """Of one `main`: its `bindings` in order, and by variable its value `bound` and its users."""

    def __init__(self, main: relax.Function) -> None:
        self.bindings = [binding for block in main.body.blocks for binding in block.bindings]
        self.bound = {binding.var: binding.value for binding in self.bindings}
        self._users: dict[relax.Var, list[relax.Var | None]] = defaultdict(list)
        for binding in self.bindings:
            for variable in relax.analysis.free_vars(binding.value):
                self._users[variable].append(binding.var)
        for variable in relax.analysis.free_vars(main.body.body):
            self._users[variable].append(None)

    def users(self, variable: relax.Var) -> list[relax.Var | None]:
        """The variables whose values name `variable`, each once; None: `main` returns it."""
        return list(self._users.get(variable, ()))

    def is_used_once(self, variable: relax.Var) -> bool:
        """Whether one binding, or the end of `main`, names `variable`, and nothing else does."""
        return len(self._users.get(variable, ())) == 1
