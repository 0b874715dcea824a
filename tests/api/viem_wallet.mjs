// A wallet and an observer made of viem alone: what it signs and reads, nothing of ours does.
//
// Usage: node viem_wallet.mjs sign|read < request.json, answers JSON on stdout.
//
// sign  {api, token, path, officers: [{officer_id, key}]}
//       gets the typed data under `path` from the API, signs it with each key, posts the signatures
// read  {rpc, contracts: {name: {address, artifact}}, calls: [{contract, function, args}]}
//       reads views of the deployed contracts; integers come as strings

import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { randomUUID } from 'node:crypto'
import { createPublicClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

async function sign({ api, token, path, officers }) {
  const headers = { Authorization: `Bearer ${token}` }
  const typedData = await (await fetch(`${api}${path}/typed-data`, { headers })).json()
  const answers = []
  for (const { officer_id, key } of officers) {
    const wallet = privateKeyToAccount(key)
    const signature = await wallet.signTypedData(typedData)
    const reply = await fetch(`${api}${path}/signatures`, {
      method: 'POST',
      headers: {
        ...headers,
        'Content-Type': 'application/json',
        'Idempotency-Key': randomUUID(),
      },
      body: JSON.stringify({ signature, officer_id }),
    })
    answers.push({ status: reply.status, document: await reply.json() })
  }
  return answers
}

async function read({ rpc, contracts, calls }) {
  const client = createPublicClient({ transport: http(rpc) })
  const answers = []
  for (const call of calls) {
    const { address, artifact } = contracts[call.contract]
    const { abi } = JSON.parse(await readFile(artifact, 'utf8'))
    answers.push(
      await client.readContract({ address, abi, functionName: call.function, args: call.args }),
    )
  }
  return answers
}

const commands = { sign, read }
const request = JSON.parse(await text(process.stdin))
const answers = await commands[process.argv[2]](request)
const integersAsText = (_, value) => (typeof value === 'bigint' ? String(value) : value)
console.log(JSON.stringify(answers, integersAsText))
