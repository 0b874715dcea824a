"""The solver cvc5 as a program that answers a file of SMT-LIB, which its package does not bring.

Halmos runs it with ``.venv-halmos/bin/python`` for the checks that ask for it. Bit vectors are
solved as integers, in which a product or a quotient of two unknowns is one term and not a circuit.
"""

import sys

import cvc5

OPTIONS = {"produce-models": "true", "solve-bv-as-int": "sum"}


def main() -> None:
    """Answer each command of the file named in the first argument."""
    solver = cvc5.Solver(cvc5.TermManager())
    for name, value in OPTIONS.items():
        solver.setOption(name, value)
    parser = cvc5.InputParser(solver)
    parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, sys.argv[1])
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        sys.stdout.write(command.invoke(solver, symbols))


if __name__ == "__main__":
    main()
