"""Ahead of time: a lowered network as C functions over one workspace, with no runtime behind it.

program.py   what `main` does: kernels in order, and the memory each one works on
workspace.py where in one block of memory every tensor lies, and when
kernels.py   a scheduled PrimFunc as a private C function, shared by threads where it says so
compute.py   the one function that calls them all
stack.py     what aligns their part of the stack to whole vectors
"""
