/** Row formats of published data sets → records; rows as their cards show them. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { attributeSets } from '../../src/labels/attribute-sets.ts'
import { importDataset } from '../../src/datasets/import-dataset.ts'
import { openDataset } from '../../src/datasets/dataset-store.ts'
import { parseColumnMap } from '../../src/datasets/formats/column-map.ts'
import { labelOrder } from '../../src/datasets/dataset-store.ts'
import { toNemoRecord, toRegressionRows } from '../../src/datasets/nemo-format.ts'
import { readRecords } from '../../src/datasets/readers.ts'
import type {
  QuarantinedRow,
  ReadOptions,
  RecordFormat,
  RecordOf,
} from '../../src/datasets/readers.ts'

const parquet = join(import.meta.dirname, '../fixtures/parquet')

async function readFrom<F extends RecordFormat>(path: string, format: F, options?: ReadOptions) {
  const records: RecordOf<F>[] = []
  const bad: QuarantinedRow[] = []
  const read = readRecords(path, format, (row) => bad.push(row), options)
  for await (const { record } of read) records.push(record)
  return { records, bad }
}

async function read<F extends RecordFormat>(
  t: Test,
  format: F,
  rows: unknown[],
  options?: ReadOptions,
) {
  const path = join(t.testdir(), 'rows.jsonl')
  await writeFile(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return readFrom(path, format, options)
}

const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })

t.test('helpsteer2-preference: a sign says who is better, 0 is a tie', async (t) => {
  const row = { split: 'train', prompt: 'p', response_1: 'one', response_2: 'two' }
  const { records, bad } = await read(t, 'helpsteer2-preference', [
    { ...row, preference_strength: -3, preference_statement: 'x' },
    { ...row, preference_strength: 1 },
    { ...row, preference_strength: 0 },
    { ...row, preference_strength: -100 },
  ])
  const meta = { split: 'train' }
  const replies = (a: number, b: number) => [
    { content: 'one', rank: a },
    { content: 'two', rank: b },
  ]
  t.same(records, [
    { messages: [user('p')], replies: replies(0, 1), strength: 3, meta },
    { messages: [user('p')], replies: replies(1, 0), strength: 1, meta },
    { messages: [user('p')], replies: replies(0, 0), strength: 0, meta },
  ])
  t.match(bad, [{ line: 4, problem: /preference_strength/ }])
})

t.test('helpsteer3: the context as messages, what single raters said beside', async (t) => {
  const { records } = await read(t, 'helpsteer3', [
    {
      domain: 'general',
      language: 'english',
      context: [user('a'), assistant('b'), user('c')],
      response1: 'one',
      response2: 'two',
      overall_preference: 2,
      individual_preference: [{ score: 2, reasoning: 'r', feedback1: 'f', feedback2: 'g' }],
    },
  ])
  t.match(records, [
    {
      messages: [user('a'), assistant('b'), user('c')],
      replies: [{ rank: 1 }, { rank: 0 }],
      strength: 2,
      meta: { domain: 'general', language: 'english', preferences: [2] },
    },
  ])
})

const aspects = (rating: string) => ({ Rating: rating, Rationale: 'because' })

t.test('ultrafeedback: a record for every reply, ratings 1 … 5 as 0 … 4', async (t) => {
  const completion = (response: string, rating: string) => ({
    model: 'm',
    principle: 'honesty',
    custom_system_prompt: 's',
    response,
    annotations: {
      instruction_following: aspects(rating),
      honesty: aspects('5'),
      truthfulness: aspects('N/A'),
      helpfulness: { ...aspects('1'), Type: ['1'] },
    },
    overall_score: 10,
  })
  const { records, bad } = await read(t, 'ultrafeedback', [
    { source: 'flan', instruction: 'i', completions: [completion('a', '3'), completion('b', '4')] },
    { source: 'flan', instruction: 'i', completions: [completion('a', '6')] },
  ])
  t.equal(records.length, 2)
  t.match(records[0], {
    messages: [
      user('i'),
      { content: 'a', attributes: { instruction_following: 2, honesty: 4, helpfulness: 0 } },
    ],
    meta: { source: 'flan', model: 'm', principle: 'honesty' },
  })
  t.notOk(records[0]!.messages[1]!.attributes!.truthfulness)
  t.match(bad, [{ line: 2, problem: /Rating/ }])
})

t.test('hh-rlhf: dialogues that differ in the last reply', async (t) => {
  const begin = '\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant:'
  const { records, bad } = await read(t, 'hh-rlhf', [
    { chosen: `${begin} yes`, rejected: `${begin} no` },
    { chosen: `${begin} yes`, rejected: begin },
    { chosen: `${begin} yes`, rejected: '\n\nHuman: x\n\nAssistant: no' },
    { chosen: `${begin} yes`, rejected: `${begin} yes` },
    { chosen: 'yes', rejected: 'no' },
  ])
  t.same(records, [
    {
      messages: [user('a'), assistant('b'), user('c')],
      replies: [
        { content: 'yes', rank: 0 },
        { content: 'no', rank: 1 },
      ],
    },
  ])
  t.match(bad, [
    { problem: /rejected: the last turn is empty/ },
    { problem: /differ before their last turn/ },
    { problem: /same text/ },
    { problem: /begins with/ },
  ])
})

t.test('pairs: texts, messages, prompts given or repeated, RewardBench', async (t) => {
  const { records, bad } = await read(t, 'pairs', [
    { prompt: 'p', chosen: 'a', rejected: 'b', subset: 'refusals', chosen_model: 'm' },
    { prompt: [user('p')], chosen: [assistant('a')], rejected: [assistant('b')], margin: 0.5 },
    {
      prompt: 'p',
      chosen: [user('p'), assistant('a')],
      rejected: [user('p'), assistant('b')],
      score_chosen: 8.5,
      score_rejected: 6,
    },
    { chosen: [user('p'), assistant('a')], rejected: [user('p'), assistant('b')] },
    { chosen: 'a', rejected: 'b' },
    { prompt: 'p', chosen: [user('a')], rejected: [user('b')] },
  ])
  const pair = {
    messages: [user('p')],
    replies: [
      { content: 'a', rank: 0 },
      { content: 'b', rank: 1 },
    ],
  }
  t.same(records, [
    { ...pair, meta: { subset: 'refusals' } },
    { ...pair, strength: 0.5 },
    { ...pair, strength: 2.5 },
    pair,
  ])
  t.match(bad, [{ problem: /prompt/ }, { problem: /assistant to speak last/ }])
})

const labels = { name: ['quality', 'humor', 'spam'], value: [0.625, 0.25, 0], count: [3, 3, 3] }
const message = (id: string, parent: string | null, more: object = {}) => ({
  message_id: id,
  parent_id: parent,
  message_tree_id: id[0],
  text: id.toUpperCase(),
  role: id.length % 2 === 1 ? 'prompter' : 'assistant',
  lang: 'en',
  labels,
  ...more,
})
const table = [
  message('a', null),
  message('a1', 'a'),
  message('a11', 'a1'),
  message('a2', 'a', { labels: null }),
  message('a111', 'a11'),
  message('b', null),
]

t.test(
  'oasst: every path of a tree of two messages or more, labels of 0 … 1 as 0 … 4',
  async (t) => {
    const { records, bad } = await read(t, 'oasst', table)
    const attributes = { quality: 2.5, humor: 1 }
    t.same(records, [
      {
        id: 'a111',
        messages: [
          user('A'),
          { ...assistant('A1'), attributes },
          user('A11'),
          { ...assistant('A111'), attributes },
        ],
        meta: { tree: 'a', lang: 'en' },
      },
      { id: 'a2', messages: [user('A'), assistant('A2')], meta: { tree: 'a', lang: 'en' } },
    ])
    t.same(bad, [])
    // NeMo: round(0.625 · 4), which is half to even.
    const label = toNemoRecord(records[0]!, labelOrder([])).conversations[1]!.label
    t.equal(label, 'quality:2,humor:1')
  },
)

t.test('oasst: trees as one row give the same as their messages', async (t) => {
  const asTree = (id: string): object => {
    const { parent_id: _parent, labels: given, ...rest } = table.find((m) => m.message_id === id)!
    const named = given && { quality: { value: 0.625, count: 3 }, humor: { value: 0.25, count: 3 } }
    const replies = table.filter((m) => m.parent_id === id).map((m) => asTree(m.message_id))
    return { ...rest, labels: named, replies }
  }
  const trees = ['a', 'b'].map((id) => ({ message_tree_id: id, prompt: asTree(id) }))
  for (const format of ['oasst', 'oasst-replies'] as const) {
    const fromTrees = await read(t, format, trees)
    t.same(fromTrees.records, (await read(t, format, table)).records)
    t.same(fromTrees.bad, [])
  }
})

t.test('oasst-replies: each rated reply once, with no ratings above it', async (t) => {
  const { records } = await read(t, 'oasst-replies', table)
  t.same(
    records.map(({ id, messages }) => [id, messages.map((m) => Boolean(m.attributes))]),
    [
      ['a1', [false, true]],
      ['a111', [false, false, false, true]],
    ],
  )
})

t.test(
  'oasst: orphans, second roots, scattered trees and wrong labels are set aside',
  async (t) => {
    const { records, bad } = await read(t, 'oasst', [
      message('a', null),
      message('a1', 'a'),
      message('a12', 'gone'),
      message('ax', null),
      message('a1', 'a'),
      message('c', null),
      message('a3', 'a'),
      message('c1', 'c', { labels: { name: ['quality'], value: [1.5], count: [1] } }),
      message('c2', 'c', { role: 'wizard' }),
    ])
    t.same(
      records.map(({ id }) => id),
      ['a1'],
    )
    t.match(bad, [
      { line: 3, problem: /parent gone/ },
      { line: 4, problem: /second root/ },
      { line: 5, problem: /comes twice/ },
      { line: 7, problem: /do not stand together/ },
      { line: 8, problem: /labels/ },
      { line: 9, problem: /role/ },
    ])
  },
)

t.test("oasst: the hub's table of messages in Parquet", async (t) => {
  const path = join(parquet, 'oasst-messages.snappy.parquet')
  const { records, bad } = await readFrom(path, 'oasst')
  t.same(bad, [])
  t.same(
    records.map(({ messages }) => messages.map(({ content }) => content)),
    [
      [
        'Why is the sky blue? ☁',
        'Rayleigh scattering.',
        'And at dusk?',
        'A longer way through the air.',
      ],
      ['Why is the sky blue? ☁', 'Because.'],
    ],
  )
  const best = { quality: 3, toxicity: 0, humor: 1, creativity: 2, helpfulness: 4 }
  t.same(records[0]!.messages[1]!.attributes, best)
})

t.test('helpsteer in Parquet: NaN and ratings beyond the scale are set aside by row', async (t) => {
  const { records, bad } = await readFrom(join(parquet, 'helpsteer.zstd.parquet'), 'helpsteer')
  t.equal(records.length, 3)
  t.match(bad, [
    { line: 2, problem: /helpfulness/ },
    { line: 4, problem: /verbosity/, raw: /"prompt":"p3"/ },
  ])
})

t.test('nemo-regression: what we write reads back', async (t) => {
  const record = {
    messages: [
      user('a\n\nb'),
      { ...assistant('c'), attributes: { quality: 3, verbosity: 1 } },
      user('d'),
      { ...assistant('e\n'), attributes: { humor: 0.5 } },
    ],
  }
  const rows = toRegressionRows(record as never, attributeSets.steerlm)
  const { records, bad } = await read(t, 'nemo-regression', [
    ...rows,
    { text: rows[0]!.text, label: [1, 2] },
    { text: 'no marks', label: rows[0]!.label },
  ])
  t.same(records, [
    { messages: record.messages.slice(0, 2) },
    { messages: [user('a\n\nb'), assistant('c'), ...record.messages.slice(2)] },
  ])
  t.match(bad, [{ problem: /expected 9 values/ }, { problem: /expected its end/ }])
})

t.test('columns: any table by a map; attributes as numbers or texts', async (t) => {
  const map = parseColumnMap('prompt=q,response=a.text,system=s,humor=a.fun,id=n,meta.topic=t')
  const row = { q: 'Q', a: { text: 'A', fun: 1.5 }, s: 'S', n: 7, t: 'x' }
  const { records, bad } = await read(
    t,
    'columns',
    [
      row,
      { ...row, s: null, t: null, a: { text: 'A', fun: ' 2 ' } },
      { ...row, a: { text: 'A', fun: '' } },
      { ...row, a: { text: 'A', fun: 'NaN' } },
      { ...row, a: { text: 'A' } },
      { ...row, a: { text: 3, fun: 1 } },
      { ...row, q: null },
      [],
    ],
    { map },
  )
  const meta = { topic: 'x' }
  const reply = (attributes: object) => ({ ...assistant('A'), attributes })
  t.same(records, [
    {
      id: '7',
      messages: [{ role: 'system', content: 'S' }, user('Q'), reply({ humor: 1.5 })],
      meta,
    },
    { id: '7', messages: [user('Q'), reply({ humor: 2 })] },
    { id: '7', messages: [{ role: 'system', content: 'S' }, user('Q'), assistant('A')], meta },
  ])
  t.match(bad, [
    { problem: /humor: expected a number in "a.fun", found "NaN"/ },
    { problem: /no column "a.fun"/ },
    { problem: /response: expected a text/ },
    { problem: /prompt: column "q" is empty/ },
    { problem: /no column/ },
  ])
})

t.test('columns: pairs and messages; a map that cannot work is refused', async (t) => {
  const pairs = await read(t, 'columns', [{ q: 'p', good: 'a', bad: 'b', m: -2 }], {
    map: parseColumnMap('prompt=q,chosen=good,rejected=bad,strength=m'),
  })
  t.match(pairs.records, [{ replies: [{ content: 'a', rank: 0 }, { content: 'b' }], strength: 2 }])
  const chats = await read(t, 'columns', [{ chat: [user('x'), assistant('y')], h: 3 }], {
    map: parseColumnMap('messages=chat,helpfulness=h'),
  })
  t.match(chats.records, [{ messages: [{}, { attributes: { helpfulness: 3 } }] }])
  for (const text of ['prompt', 'a=', '=b', 'Bad Name=x', 'a=x,a=y']) {
    t.throws(() => parseColumnMap(text), { code: 'BAD_ARGUMENT', param: 'map' }, text)
  }
  await t.rejects(read(t, 'columns', [{}], {}), { code: 'BAD_ARGUMENT' })
  await t.rejects(read(t, 'columns', [{}], { map: { prompt: 'x' } }), {
    code: 'BAD_ARGUMENT',
    detail: /for response/,
  })
  await t.rejects(read(t, 'columns', [{}], { map: { chosen: 'x' } }), {
    code: 'BAD_ARGUMENT',
    detail: /for rejected/,
  })
})

t.test('import: a folder of files, rows chosen by a column, values held to a set', async (t) => {
  const row = (lang: string, humor: number) => `q,${lang},${humor}\n`
  const home = t.testdir({
    in: {
      'a.csv': 'text,lang,fun\n' + row('en', 3) + row('de', 1) + row('en', 7),
      'b.csv': 'text,lang,fun\n' + row('en', 0),
      'README.md': 'no data',
      '.hidden.csv': 'x',
    },
  })
  const manifest = await importDataset({
    file: join(home, 'in'),
    format: 'columns',
    name: 'n',
    home,
    map: parseColumnMap('response=text,humor=fun'),
    where: { lang: 'en' },
    attributes: attributeSets.village,
  })
  t.match(manifest, {
    rows: 2,
    quarantined: 1,
    source: {
      folder: 'in',
      files: [{ file: 'a.csv', sha256: /^[0-9a-f]{64}$/ }, { file: 'b.csv' }],
      format: 'columns',
      where: { lang: 'en' },
      leftOut: 1,
    },
  })
  const { path } = await openDataset('n', home)
  const quarantine = JSON.parse(await readFile(join(path, 'quarantine.ndjson'), 'utf8')) as unknown
  t.match(quarantine, { file: 'a.csv', line: 4, problem: /"humor": expected 0 to 4, found 7/ })
})

t.test('preferences are a kind of their own', async (t) => {
  const home = t.testdir({ 'x.jsonl': '{"prompt":"p","chosen":"a","rejected":"b"}' })
  const file = join(home, 'x.jsonl')
  const manifest = await importDataset({ file, format: 'pairs', name: 'p', home })
  t.match(manifest, { kind: 'preferences', rows: 1 })
  const set = await openDataset('p', home)
  for await (const record of set.preferences()) t.match(record, { messages: [user('p')] })
  await t.rejects(set.conversations().next(), { code: 'BAD_ARGUMENT', detail: /preferences/ })
})
