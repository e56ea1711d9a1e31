// Measures how long it takes to open messages with this package, and with handwritten code that uses only node:crypto.
// node:crypto does not decrypt PKCS#1 v1.5, so the handwritten code decrypts without padding and removes the padding
// itself. A server must not do this.
//
//   Usage: bench.mjs FILE (see examples/bench.rs in paytend-bindings)
import { constants, createDecipheriv, createPrivateKey, createPublicKey, privateDecrypt, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Keyring, PrivateKey, PublicKey } from '@paytend/sdk'

const PARTNER_ID = '888666000100260'

function byHand (job) {
  const own = createPrivateKey({ key: Buffer.from(job.private, 'base64'), format: 'der', type: 'pkcs8' })
  const peer = createPublicKey({ key: Buffer.from(job.public, 'base64'), format: 'der', type: 'spki' })
  return (document) => {
    const { signature, encryptFlag, ...fields } = JSON.parse(document)
    const padding = constants.RSA_NO_PADDING
    const block = privateDecrypt({ key: own, padding }, Buffer.from(fields.randomKey, 'base64'))
    const end = block.indexOf(0, 2)
    if (block[0] !== 0 || block[1] !== 2 || end < 10) throw new Error('not authentic')
    const key = block.subarray(end + 1)
    const decipher = createDecipheriv('aes-192-ecb', key, null)
    fields.content = Buffer.concat([decipher.update(fields.content, 'base64'), decipher.final()]).toString()
    fields.randomKey = key.toString()
    if (fields.partnerId !== PARTNER_ID) throw new Error('the message is for another partner')
    const names = Object.keys(fields).filter((name) => fields[name] !== '').sort()
    const signed = names.map((name) => `${name}=${fields[name]}`).join('&')
    if (!verify('sha256', Buffer.from(signed), peer, Buffer.from(signature, 'base64'))) throw new Error('not authentic')
    return fields.content
  }
}

function ours (job) {
  const ring = new Keyring(new PrivateKey(job.private), new PublicKey(job.public))
  return (document) => ring.openSync('notification', document, { partnerId: PARTNER_ID }).payload
}

const jobs = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const ways = {}
for (const [bits, job] of Object.entries(jobs)) {
  const document = Buffer.from(job.document)
  for (const [name, way] of [['ours', ours(job)], ['hand', byHand(job)]]) {
    if (way(document) !== job.payload) throw new Error(`${name} opened something else`)
    ways[`${name} ${bits}`] = () => way(document)
  }
}
for await (const line of createInterface({ input: process.stdin })) {
  const [name, bits, count] = line.split(' ')
  const way = ways[`${name} ${bits}`]
  const start = process.hrtime.bigint()
  for (let n = 0; n < Number(count); n++) way()
  console.log(String(process.hrtime.bigint() - start))
}
