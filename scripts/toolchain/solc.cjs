// Answers `solc --standard-json` with the compiler that npm installed.
//
// Run by the wrapper beside this file, solc-v*, whose name and version line Brownie reads.
// Imports are read from the project folder only.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const projectRoot = fs.realpathSync(path.join(__dirname, "..", ".."));
const expectedVersion = process.argv[2];
const solc = require(path.join(projectRoot, "node_modules", "solc"));

if (!solc.version().startsWith(`${expectedVersion}.`)) {
  process.stderr.write(
    `node_modules/solc is ${solc.version()}, this wrapper is for ${expectedVersion}: ` +
      "package.json, brownie-config.yaml and scripts/toolchain must name one version\n",
  );
  process.exit(1);
}

/** Reads one imported source, refusing whatever lies outside the project. */
function readImport(sourcePath) {
  try {
    const resolved = fs.realpathSync(path.resolve(projectRoot, sourcePath));
    if (!resolved.startsWith(projectRoot + path.sep)) {
      return { error: `${sourcePath} is outside the project` };
    }
    return { contents: fs.readFileSync(resolved, "utf8") };
  } catch (error) {
    return { error: `${sourcePath}: ${error.message}` };
  }
}

const input = fs.readFileSync(0, "utf8");
process.stdout.write(solc.compile(input, { import: readImport }));
