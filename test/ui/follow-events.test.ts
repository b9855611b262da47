import t from 'tap'
import { importUi } from './import-ui.ts'

Object.assign(globalThis, { sessionStorage: { getItem: () => 'sk-steer-x' } })
const { createEventParser, followEvents } = await importUi('shared/follow-events.js')

t.test('events come out however the text is cut', async (t) => {
  const text =
    ': hello\n\nid: 1\nevent: log\ndata: {"a":\ndata: 1}\n\nid: 2\r\ndata: ü\r\n\r\ndata: rest'
  const expected = [
    { id: '1', event: 'log', data: '{"a":\n1}' },
    { id: '2', event: 'message', data: 'ü' },
  ]
  for (let size = 1; size < text.length; size += 1) {
    const parser = createEventParser()
    const found = []
    for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size))) // prettier-ignore
    t.same(found, expected, `pieces of ${size}`)
  }
})

/** Answers each request with the next of these bodies; an error breaks the connection after its text. */
function serve(bodies: { text: string; isCut?: boolean }[]) {
  const requests: { url: string; headers: Record<string, string> }[] = []
  const encoder = new TextEncoder()
  Object.assign(globalThis, {
    fetch: async (url: string, { headers }: { headers: Record<string, string> }) => {
      requests.push({ url, headers })
      const { text, isCut } = bodies.shift()!
      let isSent = false
      return new Response(
        new ReadableStream({
          pull(controller) {
            if (!isSent) controller.enqueue(encoder.encode(text))
            else if (isCut) controller.error(new Error('cut'))
            else controller.close()
            isSent = true
          },
        }),
      )
    },
  })
  return requests
}

t.test(
  'a broken stream goes on after the last event, with the key, until the job is over',
  async (t) => {
    const requests = serve([
      { text: 'id: 1\ndata: {"seq":1}\n\nid: 2\ndata: {"seq":2}\n\n', isCut: true },
      { text: 'id: 3\ndata: {"seq":3}\n\ndata: [DONE]\n\n' },
    ])
    const events: unknown[] = []
    const states: boolean[] = []
    await followEvents('/v1/jobs/1/events', {
      onEvent: (event: unknown) => events.push(event),
      isOver: async () => true,
      onState: (isOn: boolean) => states.push(isOn),
      signal: new AbortController().signal,
    })
    t.same(events, [{ seq: 1 }, { seq: 2 }, { seq: 3 }])
    t.same(states, [true, false, true])
    t.equal(requests.length, 2)
    t.notOk(requests[0]!.headers['last-event-id'])
    t.equal(requests[1]!.headers['last-event-id'], '2')
    t.equal(requests[1]!.headers.authorization, 'Bearer sk-steer-x')
  },
)

t.test('an error of the API ends it; trying again would not help', async (t) => {
  const error = { message: 'no job of that id', code: 'not_found', param: null }
  Object.assign(globalThis, { fetch: async () => Response.json({ error }, { status: 404 }) })
  const options = { onEvent() {}, isOver: async () => false, onState() {}, signal: new AbortController().signal } // prettier-ignore
  await t.rejects(followEvents('/v1/jobs/1/events', options), { message: 'no job of that id', code: 'not_found' }) // prettier-ignore
})

t.test('leaving the view ends it without a word', async (t) => {
  const leave = new AbortController()
  let requests = 0
  Object.assign(globalThis, {
    fetch: async () => {
      requests += 1
      leave.abort()
      throw new DOMException('aborted', 'AbortError')
    },
  })
  await followEvents('/x', { onEvent() {}, isOver: async () => false, onState() {}, signal: leave.signal }) // prettier-ignore
  t.equal(requests, 1, 'it does not try again')
})
