// Tests README.md: runs its code blocks unchanged, and checks its statements.
import assert from 'node:assert/strict'
import { execSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as paytend from '@paytend/sdk'

const PARTNER_ID = '888666000100260'
const HERE = fileURLToPath(new URL('.', import.meta.url))
const README = readFileSync(join(HERE, 'node_modules/@paytend/sdk/README.md'), 'utf8')
const blocks = (language) => {
  const pattern = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms')
  return [...README.matchAll(pattern)].map((match) => match[1])
}

const [own, theirs] = [paytend.PrivateKey.generate(1024), paytend.PrivateKey.generate(1024)]
const sender = new paytend.Keyring(theirs, own.publicKey)
const notification = (payload, notifyType = '2') =>
  sender.sealSync('notification', { partnerId: PARTNER_ID, notifyType }, payload)

/** Imports the README's code blocks as one module, with an in-memory `store`. */
async function readme () {
  const folder = mkdtempSync(join(tmpdir(), 'paytend-readme-'))
  writeFileSync(join(folder, 'private.pem'), own.write(), { mode: 0o600 })
  writeFileSync(join(folder, 'paytend.pem'), theirs.publicKey.write())
  process.chdir(folder)
  const stored = []
  globalThis.readmeStore = async (received) => {
    const isNew = !stored.some(({ dedupKey }) => dedupKey === received.dedupKey)
    stored.push(received)
    return isNew
  }
  globalThis.readmeLog = []
  const given = `
    const store = globalThis.readmeStore
    const console = { warn: (line) => globalThis.readmeLog.push(line) }`
  const file = join(HERE, 'readme.generated.mjs')
  writeFileSync(file, [...blocks('js'), given, 'export { document, handle, keyring, requestId }'].join('\n'))
  return { ...await import(pathToFileURL(file).href), stored, log: globalThis.readmeLog }
}

const { document, handle, keyring, requestId, stored, log } = await readme()

test('every README code block is run', () => {
  assert.deepEqual([...README.matchAll(/^```(\w+)$/gm)].map((match) => match[1]), ['sh', 'js', 'js'])
  const [install, shown] = blocks('sh')[0].trim().split('\n')
  // The package is already installed, so this command is compared but not run.
  assert.equal(install, 'npm install @paytend/sdk')
  assert.equal(execSync(shown, { cwd: HERE, encoding: 'utf8' }), `${paytend.version}\n`)
})

test('seal adds a requestId', async () => {
  const opened = sender.openSync('request', document, { partnerId: PARTNER_ID })
  assert.equal(opened.fields.requestId, requestId)
  assert.equal(requestId.length, 32)
  assert.equal(opened.payload, '{"orderNo":"A-1001","amount":"12.50"}')
  const seal = (fields) => JSON.parse(keyring.sealSync('request', { partnerId: PARTNER_ID, ...fields })).requestId
  assert.equal(seal({}).length, 32)
  assert.equal(new Set([requestId, seal({}), seal({})]).size, 3)
  assert.equal(seal({ requestId }), requestId)
  assert.throws(() => seal({ requestId: '' }), { code: 'unsealable', message: /`requestId`/ })
  assert.equal(JSON.parse(notification()).requestId, undefined)
})

test('repeated notification has the same dedup key', async () => {
  stored.length = 0
  for (const tradeStatus of [2, 2, 3]) {
    const response = await handle({}, notification({ transactionId: 'T1', tradeStatus, amount: 0.1 }))
    assert.deepEqual([response.status, response.body], [200, '{"msg":"success","status":"00"}'])
  }
  const [first, repeat, update] = stored
  assert.equal(repeat.dedupKey, first.dedupKey)
  assert.notEqual(update.dedupKey, first.dedupKey)
  assert.deepEqual(repeat.businessKey, { kind: 'deposit', id: 'T1', state: '2' })
  assert.equal(typeof first.json().amount, 'number')
  assert.ok(first.content.includes('"amount":0.1'))
})

test('untyped notification is stored unchanged', async () => {
  stored.length = 0
  await handle({}, notification('{"new": 1}', '77'))
  assert.equal(stored[0].reading, 'unknown')
  assert.equal(stored[0].content.toString(), '{"new": 1}')
})

test('rejection has a response and a reason', async () => {
  stored.length = log.length = 0
  const response = await handle({}, '{')
  assert.deepEqual(Object.keys(response).sort(), ['body', 'headers', 'status'])
  assert.equal(response.status, 400)
  assert.match(log[0], /JSON ends too early at line 1 column 1/)
  assert.equal(response.body, (await handle({}, 'x')).body)
  assert.equal(stored.length, 0)
  // A usage error contains no response, so the handler asks the sender to retry.
  assert.equal((await handle({}, 7)).status, 503)
})

test('every error code has an exception class', () => {
  const rows = [...README.matchAll(/^\| `(\w+)` \| `(\w+)` \|$/gm)].map((row) => row.slice(1))
  assert.deepEqual(rows.map(([, code]) => code), [
    'usage', 'not_authentic', 'malformed', 'payload', 'unsigned_failure', 'unsealable', 'key', 'unavailable',
    'rejected', 'internal'
  ])
  for (const [name] of rows) assert.ok(paytend[name].prototype instanceof Error, name)
  // The other test files trigger only some of the error codes. This check covers all codes.
  const source = readFileSync(join(HERE, 'node_modules/@paytend/sdk/index.js'), 'utf8')
  for (const [name, code] of rows.slice(0, -1)) assert.ok(source.includes(`  ${code}: ${name}`), code)
})

test('both examples exist', () => {
  // paytend.test.mjs runs the examples.
  assert.deepEqual(readdirSync(HERE).filter((name) => /^(express|fastify)\.mjs$/.test(name)).length, 2)
})
