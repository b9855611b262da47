import t from 'tap'
import { importUi } from './import-ui.ts'

const { bytes, figure, duration, initials } = await importUi('shared/format.js')
const { nameFromFile, formats } = await importUi('data/formats.js')
const { barsOf } = await importUi('data/statistics.js')

t.test('figures have three digits and a real minus', async (t) => {
  const cases: [number | null, string][] = [[0.1234, '0.123'], [-2.5, '−2.5'], [12345, '12,345'], [0.00001, '1.0e−5'], [0, '0'], [null, '–'], [NaN, '–']] // prettier-ignore
  for (const [value, text] of cases) t.equal(figure(value), text)
})

t.test('sizes and times', async (t) => {
  t.equal(bytes(0), '0 B')
  t.equal(bytes(1_234_567), '1.23 MB')
  t.equal(bytes(999_999), '1.00 MB')
  t.equal(duration(59.4), '59 s')
  t.equal(duration(150), '2 min 30 s')
  t.equal(duration(7320), '2 h 2 min')
})

t.test('initials are of the names, not of the small words', async (t) => {
  t.equal(initials('Bram'), 'B')
  t.equal(initials('Selma of Ravenhill'), 'SR')
  t.equal(initials('the stranger'), 'TS')
  t.equal(initials(''), '')
  t.equal(initials('🐉 dragon'), '🐉D')
})

t.test('a file name suggests a name that the API takes', async (t) => {
  const cases = { 'rated.ndjson': 'rated', 'my data (2).jsonl.gz': 'my-data-2-', '..x.json': 'x', 'ünï.json': 'n-' } // prettier-ignore
  for (const [file, name] of Object.entries(cases)) t.equal(nameFromFile(file), name)
})

t.test('the formats offered are those that the readers know', async (t) => {
  const { recordFormats } = await import('../../src/datasets/readers.ts')
  const offered = formats.map((format: { value: string }) => format.value)
  t.same(offered.toSorted(), recordFormats.toSorted())
})

t.test('levels that nobody gave are bars too; many levels become ranges', async (t) => {
  t.same(barsOf({ 1: 5, 3: 2 }), [
    { label: '0', amount: 0 },
    { label: '1', amount: 5 },
    { label: '2', amount: 0 },
    { label: '3', amount: 2 },
    { label: '4', amount: 0 },
  ])
  const many = barsOf(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [i, 1])))
  t.ok(many.length <= 25)
  t.equal(many.reduce((sum: number, bar: { amount: number }) => sum + bar.amount, 0), 1000) // prettier-ignore
})
