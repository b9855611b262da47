/** Tokenizers and chat templates of real folders against ids and texts made by transformers. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadChatTemplate, type TemplateMessage } from '../../src/text/chat-template.ts'
import { createTextStream } from '../../src/text/text-stream.ts'
import { loadTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts'
import { shared } from '../fixtures/reference-folders.ts'

const fixtures = join(shared, 'fixtures/hf')
const stories = join(shared, 'data/stories260K/hf')
const absent = (path: string): string | false => !existsSync(path) && `${path} is absent`

interface Expected {
  tokenize: { text: string; ids: number[] }[]
  chat: { messages: TemplateMessage[]; text: string; ids: number[] }[]
  greedy_256: number[]
  text: string
}

const expectedOf = (dir: string): Expected =>
  JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) as Expected

function streamed(tokenizer: Tokenizer, ids: number[]): string {
  const stream = createTextStream(tokenizer)
  return ids.map((id) => stream.push(id)).join('') + stream.flush()
}

t.test(
  'every fixture tokenizes and renders as transformers does',
  { skip: absent(fixtures) },
  async (t) => {
    for (const name of readdirSync(fixtures)) {
      const dir = join(fixtures, name)
      const [tokenizer, template] = await Promise.all([loadTokenizer(dir), loadChatTemplate(dir)])
      const { tokenize, chat } = expectedOf(dir)
      t.ok(tokenize.length > 0 && chat.length > 0)
      for (const { text, ids } of tokenize) {
        t.same(tokenizer.encode(text), ids, `${name}: ${text}`)
        t.equal(tokenizer.decode(ids), text)
        t.equal(streamed(tokenizer, ids), text)
      }
      for (const { messages, text, ids } of chat) {
        t.equal(template!.render(messages, { addGenerationPrompt: true }), text, name)
        t.same(tokenizer.encode(text, { addSpecialTokens: false }), ids)
      }
      t.same(tokenizer.eosIds, [2])
    }
  },
)

t.test('a published story comes out of its tokens', { skip: absent(stories) }, async (t) => {
  const tokenizer = await loadTokenizer(stories)
  const { greedy_256: ids, text } = expectedOf(stories)
  t.equal(tokenizer.decode(ids), text)
  t.equal(streamed(tokenizer, ids), text)
  t.equal(streamed(tokenizer, [1, ...ids]), text)
  t.same(tokenizer.encode('Once upon a time'), ids.slice(0, 4))
  t.same(tokenizer.eosIds, [1])
})
