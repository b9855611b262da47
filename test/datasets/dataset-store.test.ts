import { existsSync } from 'node:fs'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { ConversationRecord } from '../../schemas/records.ts'
import {
  exportDataset,
  listDatasets,
  openDataset,
  writeDataset,
} from '../../src/datasets/dataset-store.ts'
import { importDataset } from '../../src/datasets/import-dataset.ts'
import { sha256File } from '../../src/util/hash.ts'

const rated = (humor: number): ConversationRecord => ({
  messages: [
    { role: 'user', content: 'x' },
    { role: 'assistant', content: 'y', attributes: { humor } },
  ],
})

async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const row of rows) all.push(row)
  return all
}

t.test('an imported set opens with its rows, hash and the rows set aside', async (t) => {
  const home = t.testdir()
  const file = join(home, 'in.jsonl')
  await writeFile(file, [rated(1), 'bad', rated(3)].map((row) => JSON.stringify(row)).join('\n'))
  const manifest = await importDataset({ file, format: 'records', name: 'first', home })
  t.match(manifest, {
    kind: 'conversations',
    rows: 2,
    quarantined: 1,
    attributes: { humor: { count: 2, mean: 2, sd: 1 } },
    source: { file: 'in.jsonl', format: 'records', sha256: await sha256File(file) },
  })
  const set = await openDataset('first', home)
  t.same(set.manifest, manifest)
  t.equal(await sha256File(join(set.path, 'records.ndjson')), manifest.sha256)
  t.same(await collect(set.conversations()), [rated(1), rated(3)])
  const quarantine = await readFile(join(set.path, 'quarantine.ndjson'), 'utf8')
  t.match(JSON.parse(quarantine), { line: 2, problem: /object/, raw: '"bad"' })
  t.same(await readdir(join(home, 'datasets')), ['first'], 'nothing is left beside it')
})

t.test('token rows are a kind of their own', async (t) => {
  const home = t.testdir({ 'in.ndjson': '{"tokens":[1,2],"first_loss_token":1}' })
  const file = join(home, 'in.ndjson')
  const manifest = await importDataset({ file, format: 'tokens', name: 'ids', home })
  t.match(manifest, { kind: 'tokens', rows: 1, attributes: {} })
  const set = await openDataset('ids', home)
  t.same(await collect(set.tokenRows()), [{ tokens: [1, 2], first_loss_token: 1 }])
  await t.rejects(collect(set.conversations()), { code: 'BAD_ARGUMENT', detail: /holds tokens/ })
})

t.test('a file without one valid row is refused with the first reason', async (t) => {
  const home = t.testdir({ 'in.ndjson': '\n{"a":1}\n', 'empty.ndjson': '' })
  const make = (file: string): Promise<unknown> =>
    importDataset({ file: join(home, file), format: 'records', name: 'x', home })
  await t.rejects(make('in.ndjson'), { code: 'BAD_RECORD', detail: /line 2: messages/ })
  await t.rejects(make('empty.ndjson'), { code: 'BAD_RECORD', detail: /no rows/ })
  await t.rejects(make('none.ndjson'), { code: 'BAD_FILE' })
  t.notOk(existsSync(join(home, 'datasets', 'x')))
  t.same(await readdir(join(home, 'datasets')), [], 'nothing half-written stays')
})

t.test(
  'names are taken once, cannot leave the folder, and an unknown one lists the known',
  async (t) => {
    const home = t.testdir()
    await t.rejects(openDataset('a', home), { code: 'DATASET_NOT_FOUND', detail: /none yet/ })
    await writeDataset({ name: 'a', home, records: [rated(0)] })
    await t.rejects(writeDataset({ name: 'a', home, records: [] }), { code: 'ALREADY_EXISTS' })
    await writeDataset({ name: 'a', home, records: [rated(2), rated(2)], overwrite: true })
    t.equal((await openDataset('a', home)).manifest.rows, 2)
    await t.rejects(openDataset('b', home), { code: 'DATASET_NOT_FOUND', detail: /there are: a/ })
    for (const name of ['../a', 'a/b', '', '.a', 'a b', '..']) {
      await t.rejects(openDataset(name, home), { code: 'BAD_ARGUMENT' }, name)
    }
  },
)

t.test('a failing source leaves the older set', async (t) => {
  const home = t.testdir()
  await writeDataset({ name: 'a', home, records: [rated(1)] })
  const records = function* (): Generator<ConversationRecord> {
    yield rated(2)
    throw new Error('source broke')
  }
  await t.rejects(writeDataset({ name: 'a', home, records: records(), overwrite: true }), {
    message: /source broke/,
  })
  t.same(await collect((await openDataset('a', home)).conversations()), [rated(1)])
  t.same(await readdir(join(home, 'datasets')), ['a'])
})

t.test('a changed row or manifest is noticed', async (t) => {
  const home = t.testdir()
  await writeDataset({ name: 'a', home, records: [rated(1)] })
  const set = await openDataset('a', home)
  await writeFile(join(set.path, 'records.ndjson'), '{"messages":[]}\n')
  await t.rejects(collect(set.conversations()), {
    code: 'BAD_RECORD',
    detail: /ndjson:1: messages/,
  })
  await writeFile(join(set.path, 'manifest.json'), '{}')
  await t.rejects(openDataset('a', home), { code: 'BAD_FILE' })
  t.same(await listDatasets(home), [])
})

t.test('exports: our records as they are, NeMo rows with every attribute', async (t) => {
  const home = t.testdir()
  const record = rated(2)
  record.messages[1]!.attributes = { wit: 3, humor: 2, quality: 1.5 }
  await writeDataset({ name: 'a', home, records: [record] })
  const file = join(home, 'out.jsonl')
  await exportDataset({ name: 'a', home, format: 'records', file })
  t.same(JSON.parse(await readFile(file, 'utf8')), record)
  t.match(await exportDataset({ name: 'a', home, format: 'nemo', file }), { rows: 1 })
  t.match(JSON.parse(await readFile(file, 'utf8')), {
    conversations: [{ label: null }, { label: 'quality:2,humor:2,wit:3' }],
  })
})
