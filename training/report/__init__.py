"""The report of a run: one self-contained HTML page; ``build.html`` puts it together, one module a section."""
