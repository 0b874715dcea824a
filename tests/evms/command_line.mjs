// The arguments that Brownie starts an anvil with.
import { parseArgs } from "node:util";

const text = { type: "string" };
const flag = { type: "boolean" };

/** What the node was told, with numbers as numbers. Reverts are always traced, nothing is printed. */
export function commandLine() {
  const { values } = parseArgs({
    options: {
      port: text,
      "chain-id": text,
      accounts: text,
      "block-base-fee-per-gas": text,
      "gas-limit": text,
      hardfork: text,
      "steps-tracing": flag,
      quiet: flag,
    },
  });
  return {
    port: Number(values.port),
    chainId: Number(values["chain-id"]),
    accounts: Number(values.accounts),
    baseFee: BigInt(values["block-base-fee-per-gas"]),
    gasLimit: BigInt(values["gas-limit"]),
    hardfork: values.hardfork,
  };
}
