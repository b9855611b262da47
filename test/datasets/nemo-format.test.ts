/** Golden rows of NeMo-Aligner's formats, written as its scripts write them. */
import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import {
  fromNemoRecord,
  NemoRecord,
  systemPrompt,
  toNemoRecord,
  toRegressionRows,
} from '../../src/datasets/nemo-format.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'

const steerlm = attributeSet('steerlm')
const record: ConversationRecord = {
  messages: [
    { role: 'user', content: 'What is é?' },
    {
      role: 'assistant',
      content: 'A letter.',
      attributes: { verbosity: 2, helpfulness: 2.5, correctness: 4, coherence: 3.5, complexity: 2 },
    },
  ],
}

t.test('an AC-SFT row is written byte for byte', async (t) => {
  t.equal(
    JSON.stringify(toNemoRecord(record, steerlm)),
    '{"conversations":[{"value":"What is é?","from":"User","label":null},' +
      '{"value":"A letter.","from":"Assistant",' +
      '"label":"helpfulness:2,correctness:4,coherence:4,complexity:2,verbosity:2"}],' +
      '"system":"A chat between a curious user and an artificial intelligence assistant. ' +
      'The assistant gives helpful, detailed, and polite answers to the user\'s questions.",' +
      '"mask":"User","type":"VALUE_TO_TEXT"}',
  )
})

t.test('an AC-SFT row comes back as the record it was', async (t) => {
  const rounded = structuredClone(record)
  rounded.messages[1]!.attributes = {
    helpfulness: 2,
    correctness: 4,
    coherence: 4,
    complexity: 2,
    verbosity: 2,
  }
  t.same(fromNemoRecord(NemoRecord.parse(toNemoRecord(record, steerlm))), rounded)
  const other = { role: 'system' as const, content: 'Be brief.' }
  const withSystem = { messages: [other, ...rounded.messages] }
  t.same(fromNemoRecord(toNemoRecord(withSystem, steerlm)), withSystem)
})

t.test('labels on user turns, broken labels and other speakers are refused', async (t) => {
  const row = (from: string, label: string | null): NemoRecord => ({
    conversations: [{ from, value: 'x', label }],
  })
  t.throws(() => fromNemoRecord(row('User', 'humor:1')), { code: 'BAD_RECORD' })
  t.throws(() => fromNemoRecord(row('Assistant', 'humor')), { code: 'BAD_RECORD' })
  t.throws(() => fromNemoRecord(row('Bot', null)), { code: 'BAD_RECORD', detail: /"Bot"/ })
  t.same(fromNemoRecord(row('Assistant', '')).messages, [{ role: 'assistant', content: 'x' }])
})

t.test(
  'regression rows hide labels, use the constant system prompt and −100 for gaps',
  async (t) => {
    const rows = toRegressionRows(
      {
        messages: [
          { role: 'system', content: 'ignored' },
          ...record.messages,
          { role: 'user', content: 'And?' },
          { role: 'assistant', content: 'No rating.' },
          { role: 'assistant', content: 'Rated.', attributes: { quality: 3, humor: 0.25 } },
        ],
      },
      steerlm,
    )
    const head = `<extra_id_0>System\n${systemPrompt}\n<extra_id_1>User\nWhat is é?\n<extra_id_1>Assistant\nA letter.\n`
    t.same(rows, [
      {
        text: `${head}<extra_id_2>`,
        label: [-100, -100, -100, -100, 2.5, 4, 3.5, 2, 2],
      },
      {
        text:
          `${head}<extra_id_1>User\nAnd?\n<extra_id_1>Assistant\nNo rating.\n` +
          '<extra_id_1>Assistant\nRated.\n<extra_id_2>',
        label: [3, -100, 0.25, -100, -100, -100, -100, -100, -100],
      },
    ])
  },
)
