import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { readRecords } from '../../src/datasets/readers.ts'
import type { QuarantinedRow, RecordFormat, RecordOf } from '../../src/datasets/readers.ts'

async function read<F extends RecordFormat>(
  t: Test,
  format: F,
  rows: unknown[],
): Promise<{ records: RecordOf<F>[]; bad: QuarantinedRow[] }> {
  const path = join(t.testdir(), 'rows.jsonl.gz')
  const text = rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n')
  await writeFile(path, gzipSync(text))
  const records: RecordOf<F>[] = []
  const bad: QuarantinedRow[] = []
  for await (const { record } of readRecords(path, format, (row) => bad.push(row))) {
    records.push(record)
  }
  return { records, bad }
}

const scores = { helpfulness: 3, correctness: 4, coherence: 4, complexity: 1, verbosity: 0 }

t.test('records: valid rows come out, others say line and reason', async (t) => {
  const good = {
    id: 'a',
    messages: [
      { role: 'user', content: 'x' },
      { role: 'assistant', content: 'y', attributes: { humor: 1.5 }, ratings: { humor: [1, 2] } },
    ],
  }
  const { records, bad } = await read(t, 'records', [
    good,
    '{oops',
    { messages: [] },
    { messages: [{ role: 'user', content: 'x', attributes: { humor: 1 } }] },
    { messages: [{ role: 'wizard', content: 'x' }] },
    { messages: [{ role: 'assistant', content: 'x', attributes: { humor: 'high' } }] },
    {
      messages: [
        { role: 'user', content: 'x' },
        { role: 'system', content: 'late' },
      ],
    },
    { ...good, extra: 1 },
  ])
  t.same(records, [good])
  t.same(
    bad.map((row) => row.line),
    [2, 3, 4, 5, 6, 7, 8],
  )
  t.match(bad, [
    { problem: /not JSON/, raw: '{oops' },
    { problem: /^messages: / },
    { problem: /only an assistant message/ },
    { problem: /^messages\.0\.role: / },
    { problem: /^messages\.0\.attributes\.humor: / },
    { problem: /system message may only stand first/ },
    { problem: /extra/ },
  ])
})

t.test('tokens: ids and the first that counts', async (t) => {
  const { records, bad } = await read(t, 'tokens', [
    { tokens: [1, 2, 3], first_loss_token: 1 },
    { tokens: [1, 2], first_loss_token: 2 },
    { tokens: [1, -2], first_loss_token: 0 },
    { tokens: [1], first_loss_token: 0 },
  ])
  t.same(records, [{ tokens: [1, 2, 3], first_loss_token: 1 }])
  t.equal(bad.length, 3)
})

t.test('helpsteer: five ratings, turns inside the prompt, lists of single raters', async (t) => {
  const inner = 'first\n<extra_id_1>Assistant\nreply\n<extra_id_1>User\nsecond'
  const { records, bad } = await read(t, 'helpsteer', [
    { prompt: 'p', response: 'r', ...scores },
    { prompt: inner, response: 'r', ...scores },
    { prompt: 'p', response: 'r', ...scores, verbosity: [1, 2, 2] },
    { prompt: 'p', response: 'r', ...scores, helpfulness: 5 },
    { prompt: 'p', response: 'r', helpfulness: 1 },
  ])
  t.same(records[0]!.messages, [
    { role: 'user', content: 'p' },
    { role: 'assistant', content: 'r', attributes: scores },
  ])
  t.same(
    records[1]!.messages.map((message) => [message.role, message.content]),
    [
      ['user', 'first'],
      ['assistant', 'reply'],
      ['user', 'second'],
      ['assistant', 'r'],
    ],
  )
  t.same(records[2]!.messages[1]!.ratings, { verbosity: [1, 2, 2] })
  t.equal(records[2]!.messages[1]!.attributes!.verbosity, 5 / 3)
  t.same(
    bad.map((row) => row.line),
    [4, 5],
  )
})

t.test('nemo: AC-SFT rows', async (t) => {
  const { records, bad } = await read(t, 'nemo', [
    {
      conversations: [
        { from: 'User', value: 'x', label: null },
        { from: 'Assistant', value: 'y', label: 'quality:4,humor:0' },
      ],
      system: 'S',
      mask: 'User',
      type: 'VALUE_TO_TEXT',
    },
    { conversations: [{ from: 'Assistant', value: 'y', label: 'lang:en' }] },
  ])
  t.same(records, [
    {
      messages: [
        { role: 'system', content: 'S' },
        { role: 'user', content: 'x' },
        { role: 'assistant', content: 'y', attributes: { quality: 4, humor: 0 } },
      ],
    },
  ])
  t.match(bad, [{ line: 2, problem: /lang:en/ }])
})

t.test('chat: messages or a pair, other members ignored', async (t) => {
  const { records, bad } = await read(t, 'chat', [
    { messages: [{ role: 'user', content: 'x', name: 'Bo' }], source: 'web' },
    { prompt: 'p', response: 'r', score: 3 },
    { text: 'x' },
  ])
  t.same(records, [
    { messages: [{ role: 'user', content: 'x' }] },
    {
      messages: [
        { role: 'user', content: 'p' },
        { role: 'assistant', content: 'r' },
      ],
    },
  ])
  t.equal(bad.length, 1)
})
