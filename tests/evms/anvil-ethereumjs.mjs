#!/usr/bin/env node
// A development node on EthereumJS's EVM, which shares no code with anvil's: under a name that Brownie
// takes for an anvil, with anvil's arguments and the methods that Brownie and the contracts' tests use.
// Its clock stands still: a block is one second later than the one before, unless a test says when.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

import { createBlock } from "@ethereumjs/block";
import { Hardfork, Mainnet, createCustomCommon } from "@ethereumjs/common";
import { createMPT } from "@ethereumjs/mpt";
import { Caches, MerkleStateManager } from "@ethereumjs/statemanager";
import { createLegacyTx } from "@ethereumjs/tx";
import {
  bigIntToHex,
  bytesToHex,
  createAccount,
  createAddressFromPrivateKey,
  createAddressFromString,
  createZeroAddress,
  hexToBytes,
} from "@ethereumjs/util";
import { createVM, runTx } from "@ethereumjs/vm";

import { commandLine } from "./command_line.mjs";

// Anvil's own, known to all: what tests sign and send is then the same to the byte on every node.
const KEYS = JSON.parse(readFileSync(new URL("anvil_accounts.json", import.meta.url)));
const ETHER = 10n ** 18n;
const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;
const REFUSED = -32000;
const REVERTED = 3;

/** What the node answers instead of a result. */
class RpcError extends Error {
  constructor(code, message, data) {
    super(message);
    this.answer = { code, message, ...(data === undefined ? {} : { data }) };
  }
}

/** Blocks of at most one transaction, each with the state behind it, so that any can be the newest again. */
class Chain {
  static async start({ hardfork, chainId, accounts, baseFee, gasLimit }) {
    const chain = new Chain();
    if (!Object.values(Hardfork).includes(hardfork)) throw new Error(`no hardfork ${hardfork}`);
    chain.common = createCustomCommon({ chainId }, Mainnet, { hardfork });
    chain.baseFee = baseFee;
    chain.gasLimit = gasLimit;
    chain.state = new MerkleStateManager({
      common: chain.common,
      trie: await createMPT({ useKeyHashing: true, common: chain.common }),
      caches: new Caches(),
    });
    chain.vm = await createVM({ common: chain.common, stateManager: chain.state });
    chain.keys = new Map();
    for (const key of KEYS.slice(0, accounts).map((text) => hexToBytes(`0x${text}`))) {
      const address = createAddressFromPrivateKey(key);
      chain.keys.set(address.toString(), key);
      await chain.state.putAccount(address, createAccount({ balance: 10_000n * ETHER }));
    }
    await chain.state.flush();
    chain.blocks = [];
    chain.mined = new Map(); // transactions by hash
    chain.snapshots = [];
    chain.nextTimestamp = undefined;
    await chain.append(chain.open(Math.floor(Date.now() / 1000)));
    return chain;
  }

  get newest() {
    return this.blocks.at(-1);
  }

  /** A block behind the newest one; `executed` is what only its execution tells of its header. */
  open(timestamp, executed = {}, transactions = []) {
    return createBlock(
      {
        header: {
          parentHash: this.newest?.block.hash(),
          number: this.blocks.length,
          timestamp,
          gasLimit: this.gasLimit,
          baseFeePerGas: this.baseFee,
          ...executed,
        },
        transactions,
      },
      { common: this.common, skipConsensusFormatValidation: true },
    );
  }

  /** Seconds of the next block: as a test set it, or one after the newest. */
  takeTimestamp() {
    const timestamp = this.nextTimestamp ?? this.newest.block.header.timestamp + 1n;
    this.nextTimestamp = undefined;
    return timestamp;
  }

  async append(block, transaction) {
    const root = await this.state.getStateRoot();
    const gasUsed = transaction?.result.totalGasSpent ?? 0n;
    const sealed = this.open(
      block.header.timestamp,
      { stateRoot: root, gasUsed },
      transaction ? [transaction.tx] : [],
    );
    this.blocks.push({ block: sealed, root, transaction });
    if (transaction) {
      transaction.blockHash = bytesToHex(sealed.hash());
      this.mined.set(bytesToHex(transaction.tx.hash()), transaction);
    }
  }

  async mine(timestamp) {
    if (timestamp !== undefined) this.setNextTimestamp(timestamp);
    await this.append(this.open(this.takeTimestamp()));
  }

  setNextTimestamp(timestamp) {
    if (timestamp <= this.newest.block.header.timestamp) {
      throw new RpcError(INVALID_PARAMS, `${timestamp} is not later than the newest block`);
    }
    this.nextTimestamp = timestamp;
  }

  /** Run a signed transaction as the next block. */
  async send(tx) {
    const timestamp = this.nextTimestamp;
    const block = this.open(this.takeTimestamp());
    let result;
    try {
      result = await runTx(this.vm, { tx, block });
    } catch (error) {
      this.nextTimestamp = timestamp;
      await this.state.setStateRoot(this.newest.root);
      throw new RpcError(REFUSED, error.message);
    }
    await this.append(block, { tx, result, number: block.header.number });
    return bytesToHex(tx.hash());
  }

  /** Run a transaction on the state behind a block and forget what it did. */
  async call({ from, to, data, gas, value }, { block, root }) {
    const tx = createLegacyTx(
      { nonce: 0n, gasPrice: 0n, gasLimit: gas, to, data, value },
      { common: this.common, freeze: false },
    );
    tx.getSenderAddress = () => from; // unsigned: anybody's address will do
    await this.state.setStateRoot(root);
    try {
      return await runTx(this.vm, { tx, block, skipNonce: true, skipBalance: true });
    } catch (error) {
      throw new RpcError(REFUSED, error.message);
    } finally {
      await this.state.setStateRoot(this.newest.root);
    }
  }

  /** Read something of the state behind a block. */
  async read({ root }, look) {
    await this.state.setStateRoot(root);
    try {
      return await look(this.state);
    } finally {
      await this.state.setStateRoot(this.newest.root);
    }
  }

  /** Change the state behind the newest block by hand. */
  async edit(change) {
    await change(this.state);
    await this.state.flush();
    this.newest.root = await this.state.getStateRoot();
  }

  snapshot() {
    const { blocks, nextTimestamp, newest } = this;
    return this.snapshots.push({ height: blocks.length, root: newest.root, nextTimestamp });
  }

  async revert(id) {
    if (id < 1 || id > this.snapshots.length) return false;
    const { height, root, nextTimestamp } = this.snapshots[id - 1];
    this.snapshots.length = id - 1;
    for (const { transaction } of this.blocks.splice(height)) {
      if (transaction) this.mined.delete(bytesToHex(transaction.tx.hash()));
    }
    this.newest.root = root;
    this.nextTimestamp = nextTimestamp;
    await this.state.setStateRoot(root);
    return true;
  }
}

const quantity = (value) => bigIntToHex(BigInt(value));
const address = (text) => createAddressFromString(text);

/** Where a block parameter points. */
function blockAt(chain, tag = "latest") {
  if (typeof tag === "object") tag = tag.blockHash ?? tag.blockNumber;
  let found;
  if (["latest", "pending", "safe", "finalized"].includes(tag)) found = chain.newest;
  else if (tag === "earliest") found = chain.blocks[0];
  else if (tag.length === 66) found = chain.blocks.find(({ block }) => bytesToHex(block.hash()) === tag);
  else found = chain.blocks[Number(tag)];
  if (!found) throw new RpcError(REFUSED, `no block ${tag}`);
  return found;
}

function transactionDocument({ tx, number, blockHash }) {
  const { v, r, s } = tx.toJSON();
  return {
    hash: bytesToHex(tx.hash()),
    type: "0x0",
    chainId: quantity(tx.common.chainId()),
    nonce: quantity(tx.nonce),
    from: tx.getSenderAddress().toString(),
    to: tx.to?.toString() ?? null,
    value: quantity(tx.value),
    gas: quantity(tx.gasLimit),
    gasPrice: quantity(tx.gasPrice),
    input: bytesToHex(tx.data),
    blockHash,
    blockNumber: quantity(number),
    transactionIndex: "0x0",
    v,
    r,
    s,
  };
}

function receiptDocument(transaction) {
  const { tx, result, number, blockHash } = transaction;
  const { receipt, createdAddress, totalGasSpent } = result;
  const place = {
    transactionHash: bytesToHex(tx.hash()),
    transactionIndex: "0x0",
    blockHash,
    blockNumber: quantity(number),
  };
  return {
    ...place,
    type: "0x0",
    status: quantity(receipt.status),
    from: tx.getSenderAddress().toString(),
    to: tx.to?.toString() ?? null,
    contractAddress: createdAddress?.toString() ?? null,
    gasUsed: quantity(totalGasSpent),
    cumulativeGasUsed: quantity(totalGasSpent),
    effectiveGasPrice: quantity(tx.gasPrice),
    logsBloom: bytesToHex(result.bloom.bitvector),
    logs: receipt.logs.map(([emitter, topics, data], i) => ({
      ...place,
      address: bytesToHex(emitter),
      topics: topics.map((topic) => bytesToHex(topic)),
      data: bytesToHex(data),
      logIndex: quantity(i),
      removed: false,
    })),
  };
}

function blockDocument({ block, transaction }, whole) {
  const { header } = block;
  const transactions = transaction
    ? [whole ? transactionDocument(transaction) : bytesToHex(transaction.tx.hash())]
    : [];
  return {
    ...header.toJSON(),
    number: quantity(header.number),
    timestamp: quantity(header.timestamp),
    gasLimit: quantity(header.gasLimit),
    gasUsed: quantity(header.gasUsed),
    hash: bytesToHex(block.hash()),
    miner: header.coinbase.toString(),
    sha3Uncles: bytesToHex(header.uncleHash),
    size: "0x0",
    uncles: [],
    transactions,
  };
}

function mined(chain, hash) {
  if (hash === undefined) throw new RpcError(INVALID_PARAMS, "which transaction?");
  return chain.mined.get(hash);
}

function callFields(chain, fields) {
  const { from, to, data, input, gas, value } = fields;
  return {
    from: from ? address(from) : createZeroAddress(),
    to,
    data: data ?? input ?? "0x",
    gas: gas ? BigInt(gas) : 16_000_000n,
    value: BigInt(value ?? 0),
  };
}

/** The result of a call, or the error that a reverted one is answered with. */
function returned({ execResult }) {
  const data = bytesToHex(execResult.returnValue);
  if (!execResult.exceptionError) return data;
  const reverted = execResult.exceptionError.error === "revert";
  const message = reverted ? "execution reverted" : `EVM error ${execResult.exceptionError.error}`;
  throw new RpcError(reverted ? REVERTED : REFUSED, message, data);
}

const METHODS = {
  web3_clientVersion: (chain) => `ethereumjs/${chain.common.hardfork()}`,
  net_version: (chain) => chain.common.chainId().toString(),
  eth_chainId: (chain) => quantity(chain.common.chainId()),
  eth_accounts: (chain) => [...chain.keys.keys()],
  eth_gasPrice: () => "0x0",
  eth_blockNumber: (chain) => quantity(chain.newest.block.header.number),
  eth_getBlockByNumber: (chain, tag, whole) => blockDocument(blockAt(chain, tag), whole),
  eth_getBlockByHash: (chain, hash, whole) => blockDocument(blockAt(chain, hash), whole),
  eth_getTransactionByHash: (chain, hash) => {
    const found = mined(chain, hash);
    return found ? transactionDocument(found) : null;
  },
  eth_getTransactionReceipt: (chain, hash) => {
    const found = mined(chain, hash);
    return found ? receiptDocument(found) : null;
  },
  eth_getLogs: (chain, { address: addresses, topics = [], fromBlock, toBlock }) => {
    const wanted = addresses && [addresses].flat().map((one) => one.toLowerCase());
    const [first, last] = [fromBlock, toBlock].map((tag) => blockAt(chain, tag).block.header.number);
    return chain.blocks
      .slice(Number(first), Number(last) + 1)
      .flatMap(({ transaction }) => (transaction ? receiptDocument(transaction).logs : []))
      .filter((log) => !wanted || wanted.includes(log.address))
      .filter((log) =>
        topics.every((topic, i) => topic === null || [topic].flat().includes(log.topics[i])),
      );
  },
  eth_getBalance: (chain, who, tag) =>
    chain.read(blockAt(chain, tag), async (state) =>
      quantity((await state.getAccount(address(who)))?.balance ?? 0n),
    ),
  eth_getTransactionCount: (chain, who, tag) =>
    chain.read(blockAt(chain, tag), async (state) =>
      quantity((await state.getAccount(address(who)))?.nonce ?? 0n),
    ),
  eth_getCode: (chain, who, tag) =>
    chain.read(blockAt(chain, tag), async (state) => bytesToHex(await state.getCode(address(who)))),
  // An account as a proof states it, without the proof.
  eth_getProof: (chain, who, _slots, tag) =>
    chain.read(blockAt(chain, tag), async (state) => {
      const account = (await state.getAccount(address(who))) ?? createAccount();
      return {
        address: who,
        balance: quantity(account.balance),
        nonce: quantity(account.nonce),
        codeHash: bytesToHex(account.codeHash),
        storageHash: bytesToHex(account.storageRoot),
      };
    }),
  eth_call: async (chain, fields, tag, ...overrides) => {
    if (overrides.length) throw new RpcError(INVALID_PARAMS, "this node overrides nothing");
    return returned(await chain.call(callFields(chain, fields), blockAt(chain, tag)));
  },
  eth_sendTransaction: async (chain, fields) => {
    const key = chain.keys.get(fields.from?.toLowerCase());
    if (!key) throw new RpcError(INVALID_PARAMS, `${fields.from} is not an account of this node`);
    const { from, to, data, gas, value } = callFields(chain, fields);
    const nonce = (await chain.state.getAccount(from)).nonce;
    const gasPrice = BigInt(fields.gasPrice ?? 0);
    const unsigned = createLegacyTx(
      { nonce: fields.nonce ?? nonce, gasPrice, gasLimit: gas, to, data, value },
      { common: chain.common },
    );
    return chain.send(unsigned.sign(key));
  },
  // Of the tracers only what Brownie is given: what the outermost call returned.
  debug_traceTransaction: (chain, hash) => {
    const found = mined(chain, hash);
    if (!found) throw new RpcError(REFUSED, `no transaction ${hash}`);
    return { type: "CALL", output: bytesToHex(found.result.execResult.returnValue) };
  },
  evm_snapshot: (chain) => quantity(chain.snapshot()),
  evm_revert: (chain, id) => chain.revert(Number(id)),
  evm_mine: async (chain, timestamp) => {
    await chain.mine(timestamp === undefined ? undefined : BigInt(timestamp));
    return "0x0";
  },
  evm_setNextBlockTimestamp: (chain, timestamp) => {
    chain.setNextTimestamp(BigInt(timestamp));
    return null;
  },
  evm_setBlockGasLimit: (chain, limit) => {
    chain.gasLimit = BigInt(limit);
    return true;
  },
  hardhat_setCode: async (chain, who, code) => {
    await chain.edit((state) => state.putCode(address(who), hexToBytes(code)));
    return true;
  },
};

async function answer(chain, { id = null, method, params = [] }) {
  try {
    const run = METHODS[method];
    if (!run) throw new RpcError(METHOD_NOT_FOUND, `no method ${method}`);
    return { jsonrpc: "2.0", id, result: await run(chain, ...params) };
  } catch (error) {
    const told = error instanceof RpcError ? error.answer : { code: REFUSED, message: String(error) };
    return { jsonrpc: "2.0", id, error: told };
  }
}

const { port, ...terms } = commandLine();
const chain = await Chain.start(terms);

let queue = Promise.resolve(); // one request at a time: they share the state
createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    queue = queue.then(async () => {
      const asked = JSON.parse(Buffer.concat(parts).toString());
      const answers = [];
      for (const one of [asked].flat()) answers.push(await answer(chain, one));
      const said = Array.isArray(asked) ? answers : answers[0];
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(said));
    });
  });
})
  .listen(port, "127.0.0.1")
  .keepAliveTimeout = 600_000;
