import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Message } from '../../schemas/records.ts'
import { createPromptTemplate, type PromptTemplate } from '../../src/datasets/prompt-template.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { createChatTemplate, loadChatTemplate } from '../../src/text/chat-template.ts'
import { loadTokenizer, type Tokenizer } from '../../src/text/tokenizer.ts'
import { boundaryMerges, chatml, defaultSpecial, tinyTokenizer } from '../text/tiny-tokenizer.ts'

const nemoMarks = ['<extra_id_0>', '<extra_id_1>', '<extra_id_2>']
const chatTokenizer = tinyTokenizer({ merges: boundaryMerges })
const nemoTokenizer = tinyTokenizer({
  merges: boundaryMerges,
  special: [...defaultSpecial, ...nemoMarks],
})
const village = attributeSet('village')

const chat = createPromptTemplate({
  kind: 'chat',
  tokenizer: chatTokenizer,
  chatTemplate: createChatTemplate(chatml),
  attributes: village,
})
const nemo = createPromptTemplate({
  kind: 'nemo',
  tokenizer: nemoTokenizer,
  chatTemplate: null,
  attributes: attributeSet('steerlm'),
})

const twoTurns: Message[] = [
  { role: 'user', content: 'Hello there.' },
  { role: 'assistant', content: 'Hell yes.\n', attributes: { humor: 3.5, helpfulness: 4 } },
  { role: 'user', content: 'And now?' },
  { role: 'assistant', content: '\nHello again', attributes: { toxicity: 0.5 } },
]

/** The row's text with the counted parts in [[ ]]. */
function marked(tokenizer: Tokenizer, row: { tokens: number[]; lossMask: Uint8Array }): string {
  let text = ''
  for (let at = 0; at < row.tokens.length;) {
    let end = at
    while (end < row.tokens.length && row.lossMask[end] === row.lossMask[at]) end++
    const part = tokenizer.decode(row.tokens.slice(at, end))
    text += row.lossMask[at] ? `[[${part}]]` : part
    at = end
  }
  return text
}

/** promptTokens + reply + end of turn are the training row, for every reply of the conversation. */
function checkConsistency(
  t: Test,
  template: PromptTemplate,
  tokenizer: Tokenizer,
  messages: Message[],
): void {
  const full = template.trainingRow(messages)
  messages.forEach((message, index) => {
    if (message.role !== 'assistant') return
    const prompt = template.promptTokens(messages.slice(0, index), message.attributes ?? {})
    const reply = tokenizer.encode(message.content, { addSpecialTokens: false })
    t.same(full.tokens.slice(0, prompt.length + reply.length), [...prompt, ...reply])
    const counted = full.lossMask.slice(prompt.length, prompt.length + reply.length)
    t.ok(counted.every((bit) => bit === 1))
    const next = full.tokens.slice(prompt.length + reply.length)
    const end = next.findIndex((token) => template.stopTokens.includes(token))
    t.ok(end >= 0 && full.lossMask[prompt.length + reply.length + end] === 1, 'the end counts')
    t.equal(full.lossMask[prompt.length - 1], 0, 'the prompt does not count')
  })
}

t.test(
  'chat: the label line stands before each reply and only replies and ends count',
  async (t) => {
    t.equal(
      marked(chatTokenizer, chat.trainingRow(twoTurns)),
      '<|im_start|>user\nHello there.<|im_end|>\n<|im_start|>assistant\n' +
        'helpfulness:4,humor:4\n[[Hell yes.\n<|im_end|>]]\n' +
        '<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n' +
        'toxicity:0\n[[\nHello again<|im_end|>]]',
    )
  },
)

t.test('chat: a prompt ends right before the reply', async (t) => {
  const values = { helpfulness: 4, humor: 0, creativity: 0, verbosity: 2, toxicity: 0 }
  const shown = (messages: Message[], wanted: Record<string, number>): string =>
    chatTokenizer.decode(chat.promptTokens(messages, wanted))
  const user: Message[] = [{ role: 'user', content: 'Hi' }]
  t.equal(
    shown(user, values),
    '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n' +
      'helpfulness:4,humor:0,creativity:0,verbosity:2,toxicity:0\n',
  )
  t.equal(shown(user, {}), '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n')
  const plain: Message = { role: 'assistant', content: 'Yes' }
  t.equal(
    shown([{ role: 'system', content: 'S' }, ...user, plain, ...user], { humor: 2.5 }),
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes' +
      '<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nhumor:2\n',
  )
})

t.test('an earlier turn does not change when the sliders move', async (t) => {
  const history = twoTurns.slice(0, 3)
  const a = chat.promptTokens(history, { humor: 0 })
  const b = chat.promptTokens(history, { humor: 4, toxicity: 4 })
  const line = chatTokenizer.encode('humor:0\n').length
  t.same(b.slice(0, a.length - line), a.slice(0, a.length - line))
})

t.test('nemo: the golden text of a prompt', async (t) => {
  const values = {
    quality: 4,
    toxicity: 0,
    humor: 0,
    creativity: 0,
    helpfulness: 4,
    correctness: 4,
    coherence: 4,
    complexity: 4,
    verbosity: 4,
  }
  t.equal(
    nemoTokenizer.decode(nemo.promptTokens([{ role: 'user', content: 'Hi' }], values)),
    '<extra_id_0>System\nA chat between a curious user and an artificial intelligence assistant. ' +
      "The assistant gives helpful, detailed, and polite answers to the user's questions.\n" +
      '<extra_id_1>User\nHi\n<extra_id_1>Assistant\n' +
      '<extra_id_2>quality:4,toxicity:0,humor:0,creativity:0,helpfulness:4,correctness:4,' +
      'coherence:4,complexity:4,verbosity:4\n',
  )
})

t.test('nemo: reply, line feed and the next turn start count', async (t) => {
  const system: Message = { role: 'system', content: 'SYS' }
  t.equal(
    marked(nemoTokenizer, nemo.trainingRow([system, ...twoTurns])),
    '<extra_id_0>System\nSYS\n<extra_id_1>User\nHello there.\n<extra_id_1>Assistant\n' +
      '<extra_id_2>humor:4,helpfulness:4\n[[Hell yes.\n\n<extra_id_1>]]User\nAnd now?\n' +
      '<extra_id_1>Assistant\n<extra_id_2>toxicity:0\n[[\nHello again\n<extra_id_1>]]',
  )
})

t.test('prompt and reply are exactly the training row', async (t) => {
  checkConsistency(t, chat, chatTokenizer, twoTurns)
  checkConsistency(t, nemo, nemoTokenizer, twoTurns)
  checkConsistency(t, nemo, nemoTokenizer, [
    { role: 'system', content: 'S' },
    { role: 'assistant', content: 'I speak first' },
    { role: 'assistant', content: 'and again', attributes: { humor: 1 } },
  ])
})

t.test('an attribute model sees no labels and ends with the end mark', async (t) => {
  t.equal(
    chatTokenizer.decode(chat.scoringTokens(twoTurns)),
    '<|im_start|>user\nHello there.<|im_end|>\n<|im_start|>assistant\nHell yes.\n<|im_end|>\n' +
      '<|im_start|>user\nAnd now?<|im_end|>\n<|im_start|>assistant\n\nHello again<|im_end|>',
  )
  const system: Message = { role: 'system', content: 'ignored' }
  t.equal(
    nemoTokenizer.decode(nemo.scoringTokens([system, ...twoTurns.slice(0, 2)])),
    '<extra_id_0>System\nA chat between a curious user and an artificial intelligence assistant. ' +
      "The assistant gives helpful, detailed, and polite answers to the user's questions.\n" +
      '<extra_id_1>User\nHello there.\n<extra_id_1>Assistant\nHell yes.\n\n<extra_id_2>',
  )
  t.throws(() => chat.scoringTokens(twoTurns.slice(0, 3)), {
    code: 'BAD_REQUEST',
    param: 'messages',
  })
  t.throws(() => chat.scoringTokens([]), { code: 'BAD_REQUEST' })
})

t.test('label dropout hides the label line of the chosen turn', async (t) => {
  const row = chat.trainingRow(twoTurns, { labelDropout: (turn) => turn === 1 })
  const text = marked(chatTokenizer, row)
  t.match(text, 'assistant\nhelpfulness:4,humor:4\n[[Hell')
  t.match(text, 'assistant\n[[\nHello again')
})

t.test('text after the last reply is left out; no reply at all is a bad record', async (t) => {
  const more: Message[] = [...twoTurns, { role: 'user', content: 'unanswered' }]
  t.same(chat.trainingRow(more), chat.trainingRow(twoTurns))
  t.throws(() => chat.trainingRow([{ role: 'user', content: 'x' }]), { code: 'BAD_RECORD' })
})

t.test('stops: the end tokens, and the marks of the template', async (t) => {
  t.same(chat.stopTokens, [2])
  t.same(chat.stopStrings, [])
  t.same(nemo.stopTokens, [2, 4])
  t.same(nemo.stopStrings, ['<extra_id_1>'])
})

t.test('templates of other families: trimming, other end tokens, none at all', async (t) => {
  const make = (source: string, tokenizer = chatTokenizer): PromptTemplate =>
    createPromptTemplate({
      kind: 'chat',
      tokenizer,
      chatTemplate: createChatTemplate(source),
      attributes: village,
    })
  const inst = make(
    '{% for m in messages %}{% if m.role == "user" %}[INST] {{ m.content | trim }} [/INST]' +
      '{% else %} {{ m.content | trim }} <|endoftext|>{% endif %}{% endfor %}',
  )
  t.equal(
    marked(chatTokenizer, inst.trainingRow(twoTurns)),
    '[INST] Hello there. [/INST] helpfulness:4,humor:4\n[[Hell yes.\n <|endoftext|>]]' +
      '[INST] And now? [/INST]toxicity:0\n[[\nHello again <|endoftext|>]]',
  )
  // The space after [/INST] is the template's: only turns that are over have it.
  t.same(inst.stopTokens, [2, 0])
  const bare = make('{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}')
  t.equal(
    marked(chatTokenizer, bare.trainingRow(twoTurns.slice(0, 2))),
    'user: Hello there.\nhelpfulness:4,humor:4\n[[Hell yes.\n<|im_end|>]]',
  )
  t.throws(() => make('{{ messages[0].content }}'), { code: 'BAD_TEMPLATE', detail: /drops/ })
  t.throws(
    () =>
      createPromptTemplate({
        kind: 'chat',
        tokenizer: chatTokenizer,
        chatTemplate: null,
        attributes: [],
      }),
    { code: 'BAD_TEMPLATE', detail: /no chat template/ },
  )
})

t.test('texts cannot imitate the reply marks', async (t) => {
  t.throws(() => chat.promptTokens([{ role: 'user', content: '\uf8f00\uf8f1' }], {}), {
    code: 'BAD_REQUEST',
  })
  const odd: Message[] = [{ role: 'user', content: '\uf8f0 1' }]
  t.match(chatTokenizer.decode(chat.promptTokens(odd, {})), '\uf8f0 1')
})

const fixture = fileURLToPath(new URL('../../../shared/fixtures/hf/llama-tied', import.meta.url))
const skip = !existsSync(fixture) && 'the reference checkpoint is absent'
t.test('a trained tokenizer keeps prompt and row equal, too', { skip }, async (t) => {
  const tokenizer = await loadTokenizer(fixture)
  const chatTemplate = await loadChatTemplate(fixture)
  const common = { tokenizer, chatTemplate, attributes: village }
  checkConsistency(t, createPromptTemplate({ kind: 'chat', ...common }), tokenizer, twoTurns)
  const plainMarks = createPromptTemplate({ kind: 'nemo', ...common })
  const row = plainMarks.trainingRow(twoTurns)
  const prompt = plainMarks.promptTokens(twoTurns.slice(0, 3), twoTurns[3]!.attributes!)
  t.same(row.tokens.slice(0, prompt.length), prompt, 'marks of several ordinary tokens')
  t.same(plainMarks.stopTokens, [2])
})
