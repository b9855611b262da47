import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import {
  conditionedRows,
  labelMeans,
  pretrainRows,
  ratedRows,
  rawRows,
  seenCombinations,
  splitByPrompt,
  splitRows,
} from '../../src/commands/training-rows.ts'
import { openDataset } from '../../src/datasets/dataset-store.ts'
import { promptKey } from '../../src/datasets/prompt-key.ts'
import { createPromptTemplate } from '../../src/datasets/prompt-template.ts'
import { attributeSet } from '../../src/labels/attribute-sets.ts'
import { createChatTemplate } from '../../src/text/chat-template.ts'
import { createTinyHome } from '../fixtures/tiny-home.ts'
import { chatml, tinyTokenizer } from '../text/tiny-tokenizer.ts'

const tiny = createTinyHome(t.testdir())
const attributes = attributeSet('village').slice(0, 2)
const tokenizer = tinyTokenizer()
const template = createPromptTemplate({
  kind: 'chat',
  tokenizer,
  chatTemplate: createChatTemplate(chatml),
  attributes,
})

const reply = (content: string, helpfulness?: number, humor?: number) => ({
  role: 'assistant' as const,
  content,
  attributes: {
    ...(helpfulness === undefined ? {} : { helpfulness }),
    ...(humor === undefined ? {} : { humor }),
  },
})
const user = { role: 'user' as const, content: 'Hi' }
const records: ConversationRecord[] = [
  { messages: [user, reply('one', 4, 0), user, reply('two', 3.6, 1)] },
  { messages: [user, reply('three', 4, 1)] },
  { messages: [user, reply('four', undefined, 2)] },
  { messages: [user, { role: 'assistant', content: 'five' }] },
]
await tiny.conversations('rated', records)
const dataset = await openDataset('rated', tiny.home)
const textOf = (tokens: readonly number[]) => tokenizer.decode(tokens)

t.test('rows split by seed: a share is held back, each row once, in order', async (t) => {
  const rows = Array.from({ length: 50 }, (_, i) => i)
  const { train, validation } = splitRows(rows, 0.2, 7)
  t.equal(validation.length, 10)
  t.same(
    [...train, ...validation].sort((a, b) => a - b),
    rows,
  )
  t.same(
    train,
    train.toSorted((a, b) => a - b),
  )
  t.same(splitRows(rows, 0.2, 7), { train, validation })
  t.notSame(splitRows(rows, 0.2, 8).validation, validation)
  t.same(splitRows(rows, 0, 7), { train: rows, validation: [] })
})

t.test('replies to one prompt are all trained on or all held back', async (t) => {
  const rows = Array.from({ length: 40 }, (_, i) => ({ prompt: `p${i % 10}`, i }))
  const { train, validation } = splitByPrompt(rows, 0.3, 7)
  t.equal(new Set(validation.map(({ prompt }) => prompt)).size, 3)
  t.equal(validation.length, 12)
  t.equal(train.length, 28)
  const held = new Set(validation.map(({ prompt }) => prompt))
  t.notOk(train.some(({ prompt }) => held.has(prompt)))
})

t.test('a prompt is the first user message, whatever its case and spaces', async (t) => {
  const of = (...contents: string[]) =>
    promptKey(contents.map((content, i) => ({ role: i % 2 ? 'assistant' : 'user', content })))
  t.equal(of('Where is  the inn?\n', 'There.'), of('where is the Inn?', 'x', 'And then?', 'y'))
  t.not(of('Where is the inn?'), of('Where is the mill?'))
  t.equal(promptKey([{ role: 'assistant', content: 'A sentence.' }]), 'a sentence.')
})

t.test('raw token rows count from their first loss token', async (t) => {
  await tiny.tokenRows('raw', [{ tokens: [5, 6, 7, 8], first_loss_token: 2 }])
  const [row] = await rawRows(await openDataset('raw', tiny.home))
  t.same(
    [row!.tokens, [...row!.lossMask]],
    [
      [5, 6, 7, 8],
      [0, 0, 1, 1],
    ],
  )
})

t.test('pretraining sees conversations without labels, every token counts', async (t) => {
  const rows = await pretrainRows(dataset, template)
  t.equal(rows.length, 4)
  t.notMatch(textOf(rows[0]!.tokens), 'helpfulness')
  t.match(textOf(rows[0]!.tokens), /one.*two/s)
  t.ok(
    rows.every(
      ({ tokens, lossMask }) => lossMask.length === tokens.length && lossMask.every(Boolean),
    ),
  )
})

t.test('conditioned rows show labels, which dropout hides by a seeded draw', async (t) => {
  const rows = (labelDropout: number, seed = 1) =>
    conditionedRows(dataset, template, { labelDropout, seed })
  const labels = (list: readonly { tokens: readonly number[] }[]) =>
    list.map(({ tokens }) => textOf(tokens).match(/humor:\d/g)?.length ?? 0)
  t.same(labels(await rows(0)), [2, 1, 1, 0])
  t.same(labels(await rows(1)), [0, 0, 0, 0])
  t.same(await rows(0.5), await rows(0.5))
  const seen = new Set<string>()
  for (let seed = 0; seed < 8; seed++) seen.add(labels(await rows(0.5, seed)).join())
  t.ok(seen.size > 2, `${seen.size} different draws`)
  const [first] = await rows(0)
  const counted = first!.tokens.filter((_, j) => first!.lossMask[j])
  t.equal(tokenizer.decode(counted, { skipSpecialTokens: true }), 'onetwo')
})

t.test('every rated reply is a row for the attribute model', async (t) => {
  const rows = await ratedRows(dataset, template, attributes)
  t.same(
    rows.map(({ labels }) => labels),
    [
      [4, 0],
      [3.6, 1],
      [4, 1],
      [NaN, 2],
    ],
  )
  t.match(textOf(rows[1]!.tokens), /one.*two/s)
  t.notMatch(textOf(rows[0]!.tokens), 'two')
  t.ok(rows.every(({ tokens }) => tokens.at(-1) === tokenizer.tokenToId('<|im_end|>')))
  const means = labelMeans(rows, attributes)
  t.same(
    means.map((mean) => Number(mean.toFixed(6))),
    [Number((11.6 / 3).toFixed(6)), 1],
  )
  t.same(labelMeans([{ tokens: [], labels: [NaN, NaN] }], attributes), [0, 0])
})

t.test('combinations of fully labelled replies, as levels, most frequent first', async (t) => {
  t.same(await seenCombinations(dataset, attributes), [
    { values: [4, 1], count: 2 },
    { values: [4, 0], count: 1 },
  ])
})
