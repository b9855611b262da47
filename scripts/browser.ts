/**
 * A headless Chromium over the DevTools protocol, as little of it as a tour through the page needs: click what a person
 * sees, type, choose files, wait, take pictures. Collects what goes wrong in the console.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'

export interface Viewport {
  readonly width: number
  readonly height: number
  readonly isPhone?: boolean
}

export interface Browser {
  /** Errors of the console, uncaught exceptions and failed loads since the start. */
  readonly errors: readonly string[]
  goTo(url: string): Promise<void>
  /** The value of an expression in the page; a promise is awaited. */
  evaluate<T>(expression: string): Promise<T>
  /** Waits until the expression is true; fails with `what` after `timeoutMs`. */
  waitFor(expression: string, what: string, timeoutMs?: number): Promise<void>
  /** Clicks the first seen button, link, label or summary whose text or label begins with this. */
  click(text: string): Promise<void>
  /** Fills the field with this label (its beginning): types into inputs, chooses in selects. */
  fill(label: string, value: string): Promise<void>
  chooseFile(selector: string, path: string): Promise<void>
  pressKey(key: string): Promise<void>
  setViewport(viewport: Viewport): Promise<void>
  setDark(isDark: boolean): Promise<void>
  screenshot(path: string): Promise<void>
  close(): Promise<void>
}

type Reply = { id?: number; method?: string; params?: never; result?: never; error?: { message: string } } // prettier-ignore
type Params = Readonly<Record<string, unknown>>

export interface BrowserOptions {
  readonly executable?: string
  /** How long to wait for what is not said otherwise; more on a busy machine. */
  readonly timeoutMs?: number
}

/** Starts Chromium with a profile of its own; `close` ends it and removes the profile. */
export async function openBrowser({
  executable = '/usr/bin/chromium',
  timeoutMs = 30_000,
}: BrowserOptions = {}): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'steerlm-tour-'))
  const child = spawn(executable, [
    '--headless=new',
    '--no-sandbox', // a container's root has no other way
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
    'about:blank',
  ])
  const endNow = (): never => {
    child.kill('SIGKILL')
    process.exit(1)
  }
  process.once('SIGINT', endNow).once('SIGTERM', endNow)
  const end = async (): Promise<void> => {
    process.off('SIGINT', endNow).off('SIGTERM', endNow)
    await stop(child)
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const socket = await connect(await debuggerUrl(child))
    return await openPage(socket, timeoutMs, end)
  } catch (error) {
    await end()
    throw error
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(timer)
}

async function debuggerUrl(child: ChildProcess): Promise<string> {
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`Chromium ended with ${code}`)))
  })
  failed.catch(() => {})
  const found = new Promise<string>((resolve) => {
    // Goes on reading, so that Chromium never waits for its log.
    createInterface(child.stderr!).on('line', (line) => {
      const [, url] = /DevTools listening on (ws:\S+)/.exec(line) ?? []
      if (url) resolve(url)
    })
  })
  return Promise.race([found, failed])
}

async function connect(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { maxPayload: 256 * 1024 * 1024 })
  await new Promise((resolve, reject) => {
    socket.once('open', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** Calls of the protocol over one socket, with the events of one page. */
function createSession(socket: WebSocket, onEvent: (method: string, params: Params) => void) {
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let count = 0
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Reply
    if (message.method) onEvent(message.method, message.params ?? {})
    const call = waiting.get(message.id ?? 0)
    if (!call) return
    waiting.delete(message.id!)
    if (message.error) call.reject(new Error(message.error.message))
    else call.resolve(message.result!)
  })
  let sessionId: string | undefined
  return {
    attach: (id: string) => {
      sessionId = id
    },
    call: <T>(method: string, params: Params = {}): Promise<T> => {
      const id = ++count
      socket.send(JSON.stringify({ id, method, params, sessionId }))
      return new Promise<T>((resolve, reject) => waiting.set(id, { resolve, reject }))
    },
  }
}

async function openPage(
  socket: WebSocket,
  patienceMs: number,
  end: () => Promise<void>,
): Promise<Browser> {
  const errors: string[] = []
  const session = createSession(socket, (method, params) => {
    const error = consoleError(method, params)
    if (error) errors.push(error)
  })
  const { call } = session
  const { targetId } = await call<{ targetId: string }>('Target.createTarget', {
    url: 'about:blank',
  })
  const flat = { targetId, flatten: true }
  const { sessionId } = await call<{ sessionId: string }>('Target.attachToTarget', flat)
  session.attach(sessionId)
  for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await call(`${domain}.enable`)

  const evaluate = async <T>(expression: string): Promise<T> => {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true }
    const { result, exceptionDetails } = await call<{
      result: { value: T }
      exceptionDetails?: { exception?: { description?: string }; text: string }
    }>('Runtime.evaluate', options)
    if (!exceptionDetails) return result.value
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  }
  const waitFor = async (
    expression: string,
    what: string,
    timeoutMs = patienceMs,
  ): Promise<void> => {
    const wait = `new Promise((resolve) => {
      const end = Date.now() + ${timeoutMs}
      const look = () => {
        let value = false
        try { value = ${expression} } catch {}
        if (value) resolve(true)
        else if (Date.now() > end) resolve(false)
        else setTimeout(look, 100)
      }
      look()
    })`
    if (await evaluate<boolean>(wait)) return
    throw new Error(`waited ${timeoutMs} ms for ${what}`)
  }

  return {
    errors,
    evaluate,
    waitFor,
    async goTo(url) {
      await call('Page.navigate', { url })
      // A question to the page that is being left fails or is answered by that page.
      const isThere = `document.readyState === 'complete' && location.href.startsWith(${JSON.stringify(url)})`
      while (!(await evaluate<boolean>(isThere).catch(() => false))) await sleep(50)
    },
    async click(text) {
      const find = `(${findByText})(${JSON.stringify(text)})`
      await waitFor(find, `something to click with the text "${text}"`)
      await evaluate(`(${find}).click()`)
    },
    async fill(label, value) {
      const find = `(${findByLabel})(${JSON.stringify(label)})`
      await waitFor(find, `a field with the label "${label}"`)
      await evaluate(`(${setValue})(${find}, ${JSON.stringify(value)})`)
    },
    async chooseFile(selector, path) {
      const { root } = await call<{ root: { nodeId: number } }>('DOM.getDocument')
      const query = { nodeId: root.nodeId, selector }
      const { nodeId } = await call<{ nodeId: number }>('DOM.querySelector', query)
      if (nodeId === 0) throw new Error(`no ${selector} in the page`)
      await call('DOM.setFileInputFiles', { nodeId, files: [path] })
    },
    async pressKey(key) {
      const text = key === 'Enter' ? { text: '\r' } : {}
      const codes: Record<string, number> = { Enter: 13, Tab: 9, Escape: 27 }
      const common = { key, code: key, windowsVirtualKeyCode: codes[key] }
      await call('Input.dispatchKeyEvent', { type: 'keyDown', ...common, ...text })
      await call('Input.dispatchKeyEvent', { type: 'keyUp', ...common })
    },
    async setViewport({ width, height, isPhone = false }) {
      const deviceScaleFactor = isPhone ? 2 : 1
      const metrics = { width, height, deviceScaleFactor, mobile: isPhone }
      await call('Emulation.setDeviceMetricsOverride', metrics)
    },
    async setDark(isDark) {
      const value = isDark ? 'dark' : 'light'
      await call('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value }],
      })
    },
    async screenshot(path) {
      const { data } = await call<{ data: string }>('Page.captureScreenshot', { format: 'png' })
      await writeFile(path, Buffer.from(data, 'base64'))
    },
    async close() {
      await call('Browser.close').catch(() => {})
      socket.close()
      await end()
    },
  }
}

function consoleError(method: string, params: Params): string | undefined {
  if (method === 'Runtime.exceptionThrown') {
    const { exceptionDetails: details } = params as {
      exceptionDetails: { text: string; exception?: { description?: string } }
    }
    return details.exception?.description ?? details.text
  }
  if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
    return (params.args as { value?: unknown; description?: string }[])
      .map(({ value, description }) => description ?? JSON.stringify(value))
      .join(' ')
  }
  if (method === 'Log.entryAdded') {
    const { entry } = params as { entry: { level: string; text: string; url?: string } }
    if (entry.level === 'error') return `${entry.text} ${entry.url ?? ''}`
  }
  return undefined
}

// The functions below run in the page; they are sent as text.

const findByText = `(text) => {
  const all = [...document.querySelectorAll('dialog[open] button, button, a, label, summary')]
  const seen = all.filter((one) => one.checkVisibility() && !one.disabled)
  const named = (one) => (one.ariaLabel || one.textContent).trim().replaceAll(/\\s+/g, ' ')
  return seen.find((one) => named(one) === text) ?? seen.find((one) => named(one).startsWith(text))
}`

const findByLabel = `(label) => {
  const fields = [...document.querySelectorAll('input, select, textarea')].filter((one) => one.checkVisibility())
  const named = (one) => one.ariaLabel || one.labels[0]?.textContent.trim() || ''
  return fields.find((one) => named(one) === label) ?? fields.find((one) => named(one).startsWith(label))
}`

const setValue = `(field, value) => {
  if (field.type === 'checkbox') field.checked = value === 'true'
  else field.value = value
  if (field.tagName === 'SELECT' && field.value !== value) throw new Error('no option ' + value)
  field.dispatchEvent(new Event('input', { bubbles: true }))
  field.dispatchEvent(new Event('change', { bubbles: true }))
}`
