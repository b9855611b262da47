import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer as createNetServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { run } from '../src/commands/serve.ts'
import { readConfig } from '../src/config.ts'
import { createServer } from '../src/wiring.ts'
import { postJson } from './http/client.ts'

// Karpathy's stories260K, real weights that are not part of this project.
const stories = new URL('../../shared/data/stories260K/hf/', import.meta.url)
const absent = existsSync(stories) ? false : 'the stories260K checkpoint is not beside the checkout'

t.test('a real checkpoint behind an engine process', { skip: absent }, async (t) => {
  const config = readConfig({ model: [fileURLToPath(stories)], home: t.testdir() }, {})
  const server = await createServer(config, false)
  t.teardown(() => server.close())
  t.same(server.models, ['hf'])
  const post = (body: object) => postJson(server.app, '/v1/completions', { model: 'hf', ...body })

  await t.test('it writes its 256 published greedy tokens and their text', async (t) => {
    const expected = JSON.parse(await readFile(new URL('expected.json', stories), 'utf8'))
    const body = { prompt: expected.greedy_from, max_tokens: 256, temperature: 0 }
    const response = await post({ ...body, ignore_eos: true, return_token_ids: true })
    t.same(response.json().choices[0].token_ids, expected.greedy_256)
    t.equal(response.json().choices[0].text, expected.text)
    t.same(response.json().usage.completion_tokens, 256)
  })

  await t.test('echo with max_tokens 0 gives the probabilities that it drew by', async (t) => {
    const prompt = [1, 403, 407, 261]
    const body = { max_tokens: 1, temperature: 0, logprobs: 1 }
    const drawn = await post({ ...body, prompt: prompt.slice(0, 3) })
    const scored = await post({ ...body, prompt, max_tokens: 0, echo: true })
    const last = scored.json().choices[0].logprobs.token_logprobs.at(-1)
    t.ok(Math.abs(last - drawn.json().choices[0].logprobs.token_logprobs[0]) < 1e-4)
  })

  await t.test(
    'a prompt beyond the context and a token beyond the vocabulary are 400',
    async (t) => {
      const long = await post({ prompt: Array.from({ length: 512 }, () => 5) })
      t.match(long.json().error, { code: 'context_length_exceeded', message: /512 tokens/ })
      t.match((await post({ prompt: [512] })).json().error, {
        code: 'bad_request',
        param: 'prompt',
      })
    },
  )

  await t.test('a checkpoint without a chat template says so', async (t) => {
    const body = { model: 'hf', messages: [{ role: 'user', content: 'x' }] }
    const response = await postJson(server.app, '/v1/chat/completions', body)
    t.match(response.json().error, { code: 'bad_template', param: 'messages' })
  })
})

t.test('serve refuses bad arguments before it loads anything', async (t) => {
  await t.rejects(run(['--nope']), { code: 'BAD_ARGUMENT', message: /--nope/ })
  await t.rejects(run(['extra']), { code: 'BAD_ARGUMENT' })
  await t.rejects(run(['--device', 'tpu']), { code: 'BAD_ARGUMENT', message: /expected cpu/ })
  await t.rejects(run(['--model', 'nobody', '--home', t.testdir()]), { code: 'MODEL_NOT_FOUND' })
})

t.test('a port in use is one clear error', { skip: absent }, async (t) => {
  const other = createNetServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const argv = ['--model', fileURLToPath(stories), '--home', t.testdir(), '--port', String(port)]
  await t.rejects(run(argv), { code: 'BAD_ARGUMENT', message: /the port is in use/ })
})
