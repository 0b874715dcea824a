"""The compiler as forge calls it, answered by the one that runs already (``compile.cjs``)."""

import os
import socket
import sys

if "--version" in sys.argv:
    print(f"solc\nVersion: {os.environ['RELIEF_SOLC_VERSION']}")
else:
    with socket.socket(socket.AF_UNIX) as compiler:
        compiler.connect(os.environ["RELIEF_COMPILER"])
        compiler.sendall(sys.stdin.buffer.read())
        compiler.shutdown(socket.SHUT_WR)
        while part := compiler.recv(1 << 20):
            sys.stdout.buffer.write(part)
