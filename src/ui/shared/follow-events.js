/** Server-sent events by fetch, because EventSource cannot send a key: parsing, and following with reconnects. */
import { request } from './api.js'

/** Collects the text of a stream; `push` gives the events that are complete now. */
export function createEventParser() {
  let rest = ''
  return {
    push(text) {
      // A CR at the end may be half of a CRLF.
      const blocks = (rest + text).replaceAll('\r\n', '\n').split('\n\n')
      rest = blocks.pop()
      return blocks.map(parseBlock).filter((event) => event.data !== '')
    },
  }
}

function parseBlock(block) {
  const event = { id: '', event: 'message', data: '' }
  for (const line of block.split('\n')) {
    const [, field, value] = /^(id|event|data): ?(.*)$/.exec(line) ?? []
    if (field === 'data') event.data += event.data === '' ? value : `\n${value}`
    else if (field) event[field] = value
  }
  return event
}

/**
 * Hands every event's JSON to `onEvent`, connects again from the last id when the connection drops, and resolves when
 * `isOver()` says so after the stream's end, or `signal` aborts. `onState(isConnected)` hears of loss and return.
 */
export async function followEvents(path, { onEvent, isOver, onState, signal }) {
  let lastId = ''
  let failures = 0
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', ...(lastId && { 'last-event-id': lastId }) }
      const response = await request(path, { headers, signal })
      onState(true)
      for await (const event of readEvents(response)) {
        failures = 0
        if (event.id !== '') lastId = event.id
        if (event.data !== '[DONE]') onEvent(JSON.parse(event.data))
      }
      if (await isOver()) return
    } catch (error) {
      if (signal.aborted) return
      if (error.status >= 400 && error.status < 500) throw error
    }
    onState(false)
    await pause(Math.min(8000, 500 * 2 ** failures++), signal)
  }
}

async function* readEvents(response) {
  const parser = createEventParser()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    yield* parser.push(value)
  }
}

/** Waits, at most until the signal aborts. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })
}

/** Runs `work` now and again every `ms`, only while the page is seen; a failure waits for the next time. */
export async function repeat(work, ms, signal) {
  while (!signal.aborted) {
    if (!document.hidden) await work()
    await pause(ms, signal)
  }
}
