/**
 * Clicks through the page of a running server as a person would: the whole loop from an upload to a chat with the new
 * model, then a character. Takes pictures, and fails on an error in the console.
 *
 *   node scripts/village-corpus.ts --out DIR --rated 400 --unrated 400
 *   node scripts/page-tour.ts --url http://127.0.0.1:8080 --rated DIR/rated.ndjson --texts DIR/unrated.ndjson \
 *     --out SHOTS [--base village] [--steps 10] [--key sk-steer-…] [--minutes 20] [--wait 30] [--chromium /usr/bin/chromium]
 *     [--model NAME]
 *
 * `--model` leaves the loop out and goes on with a model that is published.
 * `--minutes`: for one job; `--wait`: seconds for anything else.
 * It makes data sets, models and a character with names of their own and leaves them there, to be looked at.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openBrowser, type Browser, type Viewport } from './browser.ts'

const { values } = parseArgs({
  options: {
    url: { type: 'string', default: 'http://127.0.0.1:8080' },
    rated: { type: 'string' },
    texts: { type: 'string' },
    out: { type: 'string' },
    base: { type: 'string' },
    model: { type: 'string' },
    steps: { type: 'string', default: '10' },
    key: { type: 'string' },
    minutes: { type: 'string', default: '20' },
    chromium: { type: 'string' },
    wait: { type: 'string', default: '30' },
  },
})
const { url, rated, texts, out } = values
if (!out || !(values.model || (rated && texts))) {
  throw new Error('--out and either --model or --rated and --texts are needed')
}

const desktop: Viewport = { width: 1280, height: 820 }
const phone: Viewport = { width: 390, height: 844, isPhone: true }
const run = Date.now().toString(36)
const names = { rated: `rated-${run}`, texts: `texts-${run}`, model: values.model ?? `tour-${run}` }
const loopMs = Number(values.minutes) * 60_000
let pictures = 0

/** A step of the tour: says what it does, and takes a picture of how it ends. */
async function step(browser: Browser, title: string, work: () => Promise<void>): Promise<void> {
  const start = Date.now()
  try {
    await work()
  } finally {
    await new Promise((resolve) => setTimeout(resolve, 400)) // fades and frames of charts
    pictures += 1
    const name = `${String(pictures).padStart(2, '0')}-${title.replaceAll(/[^a-z0-9]+/gi, '-')}.png`
    await browser.screenshot(join(out!, name))
  }
  console.log(`${title}: ${((Date.now() - start) / 1000).toFixed(1)} s`)
}

const text = (selector: string): string =>
  `document.querySelector('${selector}')?.textContent ?? ''`

async function giveKey(browser: Browser): Promise<void> {
  if (!values.key) return
  await step(browser, 'the server asks for a key', async () => {
    await browser.waitFor(`document.querySelector('dialog[open]')`, 'the dialog')
    await browser.fill('API key', values.key!)
    await browser.click('Use this key')
  })
}

async function upload(browser: Browser, path: string, name: string): Promise<void> {
  await browser.chooseFile('#upload-file', path)
  await browser.fill('Name', name)
  await browser.click('Upload')
  const stored = `(${text('.done')}).includes(${JSON.stringify(name)})`
  await browser.waitFor(stored, `${name} to be stored`, 120_000)
}

async function data(browser: Browser): Promise<void> {
  await step(browser, 'upload rated rows', async () => {
    await browser.click('Data')
    await browser.waitFor(`document.querySelector('.drop-zone')`, 'the drop zone')
    await upload(browser, rated!, names.rated)
  })
  await step(browser, 'upload texts', () => upload(browser, texts!, names.texts))
  await step(browser, 'look at the rated rows', async () => {
    await browser.click(names.rated)
    await browser.waitFor(`document.querySelectorAll('.histogram').length > 1`, 'histograms')
    await browser.waitFor(`document.querySelectorAll('.row').length > 1`, 'rows')
  })
}

const stateOf = `document.querySelector('.page-head .badge')?.textContent`
const steps = ['Train', 'Label', 'Train', 'Evaluate', 'Publish']

async function loop(browser: Browser): Promise<void> {
  await step(browser, 'start the whole loop', async () => {
    await browser.click('Jobs')
    await browser.click('Whole loop…')
    await browser.fill('Rated conversations', names.rated)
    await browser.fill('Texts', names.texts)
    if (values.base) await browser.fill('Start from', values.base)
    await browser.fill('Name of the new model', names.model)
    await browser.click('More settings')
    await browser.fill('Steps of the attribute model', values.steps)
    await browser.fill('Steps of the fine-tuning', values.steps)
    await browser.fill('Prompts of the evaluation', '2')
    await browser.click('Start the loop')
    await browser.waitFor(`document.querySelectorAll('.pipeline .step').length === 5`, 'the five jobs') // prettier-ignore
  })
  await step(browser, 'watch the curve', () =>
    browser.waitFor(`document.querySelector('.chart canvas')`, 'the curve', loopMs),
  )
  for (const [index, name] of steps.entries()) {
    await step(browser, `job ${index + 1} ${name}`, async () => {
      await browser.evaluate(`document.querySelectorAll('.pipeline .step')[${index}].click()`)
      const isShown = `document.querySelectorAll('.pipeline .step')[${index}]?.ariaCurrent === 'page'`
      await browser.waitFor(isShown, `the page of job ${index + 1}`)
      const isOver = `['succeeded', 'failed', 'cancelled'].includes(${stateOf})`
      await browser.waitFor(isOver, `job ${index + 1} to end`, loopMs)
      const state = await browser.evaluate<string>(stateOf)
      if (state !== 'succeeded') throw new Error(`job ${index + 1} ${state}`)
    })
  }
}

async function models(browser: Browser): Promise<void> {
  await step(browser, 'the card of the new model', async () => {
    await browser.evaluate(`location.hash = '#/models/${names.model}'`)
    await browser.waitFor(`document.querySelector('.markdown')`, 'the card')
  })
  await step(browser, 'the list of models', async () => {
    await browser.click('Models')
    await browser.waitFor(`(${text('#page')}).includes('Served now')`, 'the list')
  })
}

const turnsDone = `document.querySelectorAll('.turn:not(.player):not(.writing)').length`

async function say(browser: Browser, label: string, message: string): Promise<void> {
  const before = await browser.evaluate<number>(turnsDone)
  await browser.fill(label, message)
  await browser.evaluate(`document.querySelector('#page:not([hidden]) .composer, #chat:not([hidden]) .composer').requestSubmit()`) // prettier-ignore
  await browser.waitFor(`${turnsDone} > ${before}`, 'the reply', 120_000)
}

async function chat(browser: Browser): Promise<void> {
  await step(browser, 'chat with the new model', async () => {
    await browser.evaluate(`location.hash = '#/chat?model=${names.model}'`)
    const isChosen = `document.querySelector('#model').value === ${JSON.stringify(names.model)}`
    await browser.waitFor(isChosen, 'the new model to be served', 60_000)
    await browser.fill('humor', '4')
    await browser.fill('verbosity', '1')
    await say(browser, 'Your message', 'Good evening! Where is the smithy?')
    await browser.waitFor(`document.querySelector('.bars')`, 'the bars')
  })
}

async function character(browser: Browser): Promise<void> {
  await step(browser, 'the characters', async () => {
    await browser.click('Characters')
    await browser.waitFor(`document.querySelector('.cast-card button')`, 'the templates')
  })
  await step(browser, 'meet somebody and insult them', async () => {
    await browser.evaluate(`document.querySelector('.cast-card button').click()`)
    await browser.waitFor(`document.querySelector('.event-buttons')`, 'the events')
    const relation = `(document.querySelector('.meter-track')?.ariaValueNow)`
    const before = await browser.evaluate<string>(relation)
    await browser.click('insulted')
    await browser.waitFor(`${relation} !== ${JSON.stringify(before)}`, 'the bars to move')
    await say(browser, 'Say something to', 'How are you today?')
  })
  await step(browser, 'interrupt them', async () => {
    await browser.fill('Say something to', 'Tell me everything about this village.')
    await browser.evaluate(`document.querySelector('#page .composer').requestSubmit()`)
    await browser.waitFor(`document.querySelector('.writing .bubble')?.textContent !== ''`, 'the first words') // prettier-ignore
    await browser.pressKey('Escape')
    await browser.waitFor(`!document.querySelector('.writing')`, 'the line to end')
  })
}

/** Every list once more, on a phone and in the dark. */
async function onPhone(browser: Browser): Promise<void> {
  await browser.setViewport(phone)
  await browser.setDark(true)
  for (const view of ['Chat', 'Characters', 'Data', 'Jobs', 'Models']) {
    await step(browser, `${view} on a phone`, async () => {
      await browser.click(view)
      await browser.waitFor(`document.body.dataset.view === '${view.toLowerCase()}' && !document.querySelector('.loading')`, view) // prettier-ignore
      const width = await browser.evaluate<number>('document.documentElement.scrollWidth')
      if (width > phone.width) throw new Error(`${view} is ${width} wide on a phone`)
    })
  }
}

await mkdir(out, { recursive: true })
const browser = await openBrowser({
  executable: values.chromium,
  timeoutMs: Number(values.wait) * 1000,
})
try {
  await browser.setViewport(desktop)
  await browser.setDark(false)
  await browser.goTo(`${url}/`)
  await giveKey(browser)
  if (!values.model) {
    await data(browser)
    await loop(browser)
  }
  await models(browser)
  await chat(browser)
  await character(browser)
  await onPhone(browser)
} finally {
  await browser.close()
}
// The first request of a page that has no key yet.
const errors = browser.errors.filter((error) => !(values.key && / 401 /.test(error)))
for (const error of errors) console.error(error)
console.log(`${pictures} pictures in ${out}, ${errors.length} errors in the console`)
process.exitCode = errors.length > 0 ? 1 : 0
