#!/usr/bin/env node
// Hardhat's node under a name that Brownie takes for an anvil, with anvil's arguments.
import { createHardhatRuntimeEnvironment } from "hardhat/hre";

import { commandLine } from "./command_line.mjs";

const { port, chainId, accounts, baseFee, gasLimit, hardfork } = commandLine();
const network = {
  type: "edr-simulated",
  hardfork,
  chainId,
  accounts: { count: accounts },
  blockGasLimit: gasLimit,
  initialBaseFeePerGas: baseFee,
  throwOnTransactionFailures: false, // as anvil: what reverted is mined and has a receipt
};
const hardhat = await createHardhatRuntimeEnvironment({ networks: { network } });
const server = await hardhat.network.createServer("network", "127.0.0.1", port);
await server.listen();
