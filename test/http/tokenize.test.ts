import t, { type Test } from 'tap'
import { buildApp } from '../../src/app.ts'
import { fakeLanguageModel } from '../services/fake-runtime.ts'
import { postJson } from './client.ts'

async function serve(t: Test) {
  const app = await buildApp({ runtimes: [fakeLanguageModel(['x'])] })
  t.teardown(() => app.close())
  return (path: string, body: object) => postJson(app, path, body)
}

t.test(
  'a text and a conversation are tokenised; the texts of tokens come if asked for',
  async (t) => {
    const post = await serve(t)
    t.same((await post('/v1/tokenize', { model: 'village', prompt: 'ab' })).json(), {
      model: 'village',
      tokens: [1, 97, 98],
      count: 3,
      max_model_len: 512,
    })
    const plain = { prompt: 'ab', add_special_tokens: false, return_token_strs: true }
    t.match((await post('/tokenize', plain)).json(), { tokens: [97, 98], token_strs: ['a', 'b'] })
    const messages = [{ role: 'user', content: 'a' }]
    t.match((await post('/v1/tokenize', { messages })).json(), { tokens: [97, 10], count: 2 })
    t.match((await post('/v1/apply-template', { messages })).json(), { prompt: 'a\n' })
    t.match((await post('/detokenize', { tokens: [98, 97] })).json(), { prompt: 'ba' })
  },
)

t.test('what is wrong with a body is named', async (t) => {
  const post = await serve(t)
  const refused = async (path: string, body: object, status: number, param: string | null) => {
    const response = await post(path, body)
    t.equal(response.statusCode, status)
    if (param !== null) t.equal(response.json().error.param, param)
  }
  await refused('/v1/tokenize', { model: 'nobody', prompt: 'a' }, 404, 'model')
  await refused('/v1/tokenize', {}, 400, null)
  await refused('/v1/detokenize', { tokens: [-1] }, 400, 'tokens.0')
  await refused('/v1/apply-template', { messages: [] }, 400, 'messages')
})

t.test('log-probabilities show token ids where texts could be the same', async (t) => {
  const app = await buildApp({ runtimes: [fakeLanguageModel(['\ufffd', '\ufffd'])] })
  t.teardown(() => app.close())
  const body = { model: 'village', prompt: 'P', logprobs: 1, return_tokens_as_token_ids: true }
  const [choice] = (await postJson(app, '/v1/completions', body)).json().choices
  t.same(choice.logprobs.tokens, ['token_id:10', 'token_id:11'])
  t.same(choice.logprobs.top_logprobs, [{ 'token_id:0': -1 }, { 'token_id:0': -1 }])
  t.same(choice.logprobs.text_offset, [0, 1])
})
