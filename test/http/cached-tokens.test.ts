/** `usage.prompt_tokens_details.cached_tokens` on the bundled model: a moved slider keeps the conversation. */
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { loadModelRuntime } from '../../src/services/model-runtime.ts'
import { postJson, readFrames } from './client.ts'

const village = fileURLToPath(new URL('../../models/village', import.meta.url))

t.test('chat and completions, plain and streamed, say what was cached', async (t) => {
  const runtime = await loadModelRuntime(village, { slots: 2 })
  t.teardown(() => runtime.dispose())
  const app = await buildApp({ runtimes: [runtime] })
  t.teardown(() => app.close())
  const ask = async (path: string, body: object) => {
    const common = { model: 'village', max_tokens: 6, temperature: 0, ...body }
    const { usage } = (await postJson(app, path, common)).json()
    const options = { stream: true, stream_options: { include_usage: true } }
    const streamed = await postJson(app, path, { ...common, ...options })
    const last = JSON.parse(readFrames(streamed.payload).at(-2)!).usage
    const cached = [usage, last].map((one) => one.prompt_tokens_details.cached_tokens as number)
    return { prompt: usage.prompt_tokens as number, cached }
  }
  const messages = [
    { role: 'system', content: 'You are the old baker of the village, and the oven is hot.' },
    { role: 'user', content: 'Good morning! Where does the road behind the mill lead to?' },
  ]
  const chat = (humor: number) =>
    ask('/v1/chat/completions', { messages, attributes: { humor }, steering: { measure: false } })
  const first = await chat(0)
  t.same(first.cached, [0, first.prompt - 2], 'nothing at first, all but two tokens again')
  const moved = await chat(4)
  const label = moved.prompt - moved.cached[0]!
  t.ok(label >= 2 && label < 40, `${label} of ${moved.prompt} tokens are computed`)
  const text = { prompt: 'The miller laughed and said that the river was high.' }
  const completion = await ask('/v1/completions', text)
  t.same(completion.cached, [0, completion.prompt - 2])
})
