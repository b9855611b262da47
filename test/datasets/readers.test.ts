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

t.test('chat: OpenAI’s fine-tuning rows; what text cannot teach is set aside', async (t) => {
  const user = { role: 'user', content: 'x' }
  const reply = { role: 'assistant', content: 'y' }
  const { records, bad } = await read(t, 'chat', [
    {
      messages: [
        { role: 'developer', content: 'Be kind.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b' },
          ],
        },
        { ...reply, weight: 1, name: 'Bo', tool_calls: [], function_call: null },
      ],
      tools: [],
    },
    { messages: [user, { ...reply, attributes: { humor: 3 } }] },
    { messages: [user, { ...reply, weight: 0 }, user, reply] },
    { messages: [user, { ...reply, weight: 0.5 }] },
    { messages: [user, { role: 'assistant', content: null, tool_calls: [{ id: 'a' }] }] },
    { messages: [user, { role: 'tool', content: '1', tool_call_id: 'a' }, reply] },
    { messages: [user, { role: 'assistant', content: null }] },
    { messages: [{ role: 'user', content: [{ type: 'image_url' }] }, reply] },
    { messages: [user, { ...reply, name: 7 }] },
    { messages: [{ ...user, attributes: { humor: 3 } }] },
    { messages: [user, { ...reply, attributes: { Humor: 3 } }] },
  ])
  t.same(records, [
    {
      messages: [
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'ab' },
        { role: 'assistant', content: 'y' },
      ],
    },
    { messages: [user, { ...reply, attributes: { humor: 3 } }] },
  ])
  t.match(bad, [
    { line: 3, problem: 'messages.1.weight: 0 is not supported, every reply counts' },
    { line: 4, problem: /^messages\.1\.weight: / },
    { line: 5, problem: 'messages.1: calls of tools are not supported, only text is' },
    { line: 6, problem: 'messages.1: tool messages are not supported, only text is' },
    { line: 7, problem: 'messages.1.content: expected a text, found none' },
    { line: 8, problem: 'messages.0.content.0: expected a text part, found "image_url"' },
    { line: 9, problem: /^messages\.1\.name: / },
    { line: 10, problem: /only an assistant message/ },
    { line: 11, problem: /Humor/ },
  ])
})
