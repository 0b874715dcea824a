// Answers standard JSON inputs on the Unix socket that its argument names, one a connection.
// Says the compiler's version once it listens, and ends with its standard input.
//
// The compiler is WebAssembly: it loads, and is made fast, once for thousands of mutants.
"use strict";

const fs = require("node:fs");
const net = require("node:net");
const path = require("node:path");

const projectRoot = path.join(__dirname, "..", "..");
const solc = require(path.join(projectRoot, "node_modules", "solc"));

function readImport(sourcePath) {
  return { contents: fs.readFileSync(path.join(projectRoot, sourcePath), "utf8") };
}

net
  .createServer({ allowHalfOpen: true }, (connection) => {
    const parts = [];
    connection.on("data", (part) => parts.push(part));
    connection.on("end", () =>
      connection.end(solc.compile(Buffer.concat(parts).toString("utf8"), { import: readImport })),
    );
  })
  .listen(process.argv[2], () => process.stdout.write(`${solc.version()}\n`));

process.stdin.resume().on("end", () => process.exit());
