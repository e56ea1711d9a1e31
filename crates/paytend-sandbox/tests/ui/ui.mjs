// Tests for the sandbox's web page in a real browser. PAYTEND_UI contains three lines: the paytend binary, the Chromium
// binary, and the directory for screenshots.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { after, before } from 'node:test'
import { chromium } from 'playwright-core'

const [paytend, browserPath, folder] = process.env.PAYTEND_UI.split('\n')
const keys = join(folder, 'keys')
let sandbox, ready, hook, hookUrl, browser, page
const asked = []

/** Calls an operation as the partner, with a request sealed by `paytend seal`, and returns the respCode. */
async function call (path, data, partnerId) {
  const fields = JSON.stringify({ partnerId })
  const document = execFileSync(paytend, [
    'seal', '--as', 'partner', '--kind', 'request', '--private-key', join(keys, 'partner-private.pem'),
    '--public-key', join(keys, 'paytend-public.b64'), '--fields', fields, '--payload', '-'
  ], { input: JSON.stringify(data) })
  const answer = await fetch(ready.base_url + path, { method: 'POST', body: document })
  return (await answer.json()).respCode
}

const topup = (orderNo, amount, currency = 'EUR') =>
  call('/issuing/card/topup', { cardId: '1755902', orderNo, amount, currency }, ready.partner)
const by = (id) => page.getByTestId(id)
const entries = (text) => by('entry').filter({ hasText: text })

before(async () => {
  sandbox = spawn(paytend, ['sandbox', '--keys', keys, '--timing', 'instant'], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: sandbox.stdout })) {
    ready = JSON.parse(line)
    break
  }
  const info = await (await fetch(ready.control_url)).json()
  ready.partner = info.partners[0]
  hook = createServer((request, response) => {
    request.resume().on('end', () => response.end('{"msg":"ok","status":"00"}'))
  })
  await new Promise((resolve) => hook.listen(0, '127.0.0.1', resolve))
  hookUrl = `http://127.0.0.1:${hook.address().port}/hook`
  browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'
    ]
  })
  page = await browser.newPage({ viewport: { width: 1280, height: 860 }, colorScheme: 'light' })
  page.on('request', (request) => asked.push(new URL(request.url()).origin))
  page.on('console', (message) => { if (message.type() === 'error') asked.push(`console: ${message.text()}`) })
  page.on('pageerror', (error) => asked.push(`error: ${error.message}`))
  await page.goto(ready.ui_url)
})

after(async () => {
  await browser?.close()
  hook?.close()
  sandbox?.kill()
})

test('calls appear in the log and change the balances', async () => {
  await by('funds').getByText('10000.00').first().waitFor()
  assert.match(await by('conserves').textContent(), /conserved/)
  assert.equal(await call('/iban/funding/setCallbackUrl', { type: '1', url: hookUrl }, ready.partner), '00')
  await entries('setCallbackUrl').waitFor()
  assert.equal(await topup('T-1', '25.00'), '00')
  await entries('topup').waitFor()
  assert.equal(await entries('topup').getAttribute('data-good'), 'true')
  await by('funds').getByText('9975.00').first().waitFor()
})

test('contents of a log entry are hidden until they are revealed', async () => {
  await entries('topup').click()
  await by('detail').waitFor()
  assert.match(await by('verdict').textContent(), /00/)
  assert.ok(!(await page.content()).includes('randomKey='), 'a session key is shown before the click')
  await by('reveal').click()
  await by('sent-payload').waitFor()
  assert.match(await by('sent-payload').textContent(), /"orderNo":\s*"T-1"/)
  assert.match(await by('sent-canonical').textContent(), /randomKey=/)
  assert.match(await by('sent-wire').textContent(), /"signature"/)
  assert.match(await by('answered-payload').textContent(), /"status":\s*"2"/)
  assert.match(await by('answered-canonical').textContent(), /respCode=00/)
})

test('triggered deposit is delivered and acknowledged', async () => {
  await page.keyboard.press('Escape')
  await reach('trigger-baas-2')
  await by('trigger-content').fill('{"amount": 1250.07, "reference": "Invoice 42"}')
  await by('trigger-baas-2').click()
  await entries('baas 2').waitFor()
  assert.equal(await entries('baas 2').getAttribute('data-good'), 'true')
})

test('added fault applies to the next call and can be cleared', async () => {
  await reach('fault-on')
  await by('fault-on').fill('topup')
  await by('fault-kind').selectOption('wrongSignature')
  // The fault applies more than once, so that it is still active when it is cleared.
  await by('fault-times').fill('5')
  await by('fault-add').click()
  await by('faults').getByText('wrongSignature').waitFor()
  await topup('T-2', '1.00')
  await entries('wrongSignature').first().waitFor()
  await by('faults-clear').click()
  await by('faults').getByText('wrongSignature').waitFor({ state: 'detached' })
})

test('log can be filtered by failures and searched', async () => {
  assert.equal(await topup('T-3', '1.00', 'USD'), 'S105')
  await entries('S105').waitFor()
  await by('filter-failures').click()
  await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('[data-testid=entry]')].filter((one) => one.offsetParent !== null)
    return shown.length > 0 && shown.every((one) => one.dataset.good === 'false')
  })
  await by('filter-all').click()
  await by('search').fill('setCallbackUrl')
  await page.waitForFunction(() => {
    const shown = [...document.querySelectorAll('[data-testid=entry]')].filter((one) => one.offsetParent !== null)
    return shown.length === 1
  })
  await by('search').fill('')
})

test('findings of a call are shown', async () => {
  const query = { cardId: '1755902', beginDate: '2023-11-06', endDate: '2023-11-06', maxsize: '5' }
  assert.equal(await call('/issuing/card/getCardTransactions', query, ready.partner), '00')
  await entries('getCardTransactions').first().click()
  await by('findings').waitFor()
  assert.match(await by('findings').textContent(), /`maxsize` is not a field of this request: did you mean `maxSize`\?/)
})

test('Advance button advances the clock', async () => {
  await reach('advance-15h')
  const before = await (await fetch(`${ready.control_url}/clock`)).json()
  await by('advance-15h').click()
  await page.waitForFunction(
    async ([url, before]) => (await (await fetch(url)).json()).now - before >= 15 * 3_600_000,
    [`${ready.control_url}/clock`, before.now]
  )
})

test('page can be used with the keyboard and all controls have a name', async () => {
  await page.keyboard.press('Escape')
  await page.evaluate(() => document.activeElement.blur())
  await page.keyboard.press('/')
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'search')
  await page.keyboard.press('Escape')
  await by('entry').first().focus()
  await page.keyboard.press('Enter')
  await by('verdict').waitFor()
  const unnamed = await page.evaluate(() => {
    const controls = [...document.querySelectorAll('button, input, select, textarea')]
    return controls.filter((one) => {
      const label = one.labels?.length || one.getAttribute('aria-label') || one.getAttribute('aria-labelledby') ||
        one.textContent.trim()
      return !label && one.offsetParent !== null
    }).map((one) => one.outerHTML)
  })
  assert.deepEqual(unnamed, [])
})

test('page fits a narrow window and follows the color scheme', async () => {
  await reach('trigger-baas-2')
  // Open the first topup, which succeeded.
  await entries('topup').last().click()
  await by('reveal').click()
  await by('sent-payload').waitFor()
  for (const close of await page.getByRole('status').getByRole('button').all()) await close.click().catch(() => {})
  await page.screenshot({ path: join(folder, 'sandbox-light.png') })
  await page.emulateMedia({ colorScheme: 'dark' })
  const background = () => page.evaluate(() =>
    getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3).map(Number))
  assert.ok((await background()).every((part) => part < 80), String(await background()))
  await page.screenshot({ path: join(folder, 'sandbox-dark.png') })
  await page.emulateMedia({ colorScheme: 'light' })
  assert.ok((await background()).every((part) => part > 180))
  await page.setViewportSize({ width: 420, height: 800 })
  const overflow = await page.evaluate(() =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth)
  assert.ok(overflow <= 0, `${overflow} px wider than the window`)
  await page.screenshot({ path: join(folder, 'sandbox-narrow.png') })
  await page.setViewportSize({ width: 1280, height: 860 })
})

test('page sends requests only to the sandbox and logs no errors', () => {
  const complaints = asked.filter((one) => one.startsWith('console: ') || one.startsWith('error: '))
  assert.deepEqual(complaints, [])
  assert.deepEqual([...new Set(asked)], [new URL(ready.base_url).origin])
})

/** Opens the tab that contains an element. */
async function reach (id) {
  if (await by(id).first().isVisible()) return
  for (const tab of await page.getByRole('tab').all()) {
    await tab.click()
    if (await by(id).first().isVisible()) return
  }
  assert.fail(`${id} cannot be reached`)
}
