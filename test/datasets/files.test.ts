/** Data files by type: CSV, TSV, JSON arrays and Parquet, whole and broken. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import type { FileRow } from '../../src/datasets/files/file-row.ts'
import { readParquet } from '../../src/datasets/files/parquet.ts'
import { readRows, type RowsOptions } from '../../src/datasets/files/read-rows.ts'

const fixtures = join(import.meta.dirname, '../fixtures/parquet')

async function collect(rows: AsyncIterable<FileRow>): Promise<FileRow[]> {
  const all: FileRow[] = []
  for await (const row of rows) all.push(row)
  return all
}

/** The rows of bytes that come one at a time, so that every cut between chunks occurs. */
function rowsOf(data: string | Uint8Array, options: RowsOptions): Promise<FileRow[]> {
  const bytes = Buffer.from(data)
  const chunks = async function* () {
    for (let i = 0; i < bytes.length; i += 1) yield bytes.subarray(i, i + 1)
  }
  return collect(readRows(chunks(), options))
}

const values = (rows: FileRow[]) => rows.map((row) => ('value' in row ? row.value : row.problem))

t.test('CSV: quotes, line feeds in fields, empty fields, lines of rows', async (t) => {
  const text = '\ufeffid,"a ""text""",V\r\n1,"two\nlines, é",3.5\r\n2,,\r\n\r\n3,x\n4,"y""z",0\n'
  const rows = await rowsOf(text, { fileName: 'x.csv' })
  t.same(values(rows), [
    { id: '1', 'a "text"': 'two\nlines, é', V: '3.5' },
    { id: '2', 'a "text"': null, V: null },
    'expected 3 fields, found 2',
    { id: '4', 'a "text"': 'y"z', V: '0' },
  ])
  t.same(
    rows.map(({ line }) => line),
    [3, 4, 6, 7],
  )
  t.match(rows[2], { raw: '3,x' })
})

t.test('CSV: a field that is not UTF-8 costs its row, an open quote the file', async (t) => {
  const bytes = Buffer.concat([Buffer.from('a,b\n1,'), Buffer.from([0xff]), Buffer.from('\n2,x\n')])
  const rows = await rowsOf(bytes, { fileName: 'x.csv' })
  t.same(values(rows), ['the row is not UTF-8', { a: '2', b: 'x' }])
  await t.rejects(rowsOf('a,b\n1,"x\n2,y\n', { fileName: 'x.csv' }), {
    code: 'BAD_FILE',
    detail: /CSV data are not valid/,
  })
  await t.rejects(rowsOf('a,a\n1,2\n', { fileName: 'x.csv' }), {
    code: 'BAD_FILE',
    detail: /"a" twice/,
  })
  t.same(await rowsOf('', { fileName: 'x.csv' }), [])
})

t.test('TSV by name, by option, and gzipped', async (t) => {
  const expected = [{ a: 'x, y', b: 'z' }]
  const text = 'a\tb\nx, y\tz\n'
  t.same(values(await rowsOf(text, { fileName: 'x.tsv' })), expected)
  t.same(values(await rowsOf(text, { fileType: 'tsv' })), expected)
  t.same(values(await rowsOf(gzipSync(text), { fileName: 'X.TSV.GZ' })), expected)
})

t.test('a JSON array is read element by element, whatever its strings hold', async (t) => {
  const elements = [{ a: '],[{"\\' }, { b: [1, { c: '"' }] }, [2], 'text']
  for (const space of [undefined, 2]) {
    const rows = await rowsOf(`\n ${JSON.stringify(elements, null, space)} \n`, {})
    t.same(values(rows), elements)
  }
  t.same(await rowsOf('[]', {}), [])
  const rows = await rowsOf('[{"a":1},oops,{"b":2}]', {})
  t.same(rows[0], { line: 1, value: { a: 1 }, raw: '{"a":1}' })
  t.match(rows[1], { line: 2, problem: /not JSON/, raw: 'oops' })
  t.match(rows[2], { line: 3, value: { b: 2 } })
})

t.test('a JSON array that is cut off or goes on after its end is refused', async (t) => {
  for (const text of ['[{"a":1},', '[{"a":1}', '[{"a":"', '[{"a":1}]x', '[{"a":1}}]']) {
    await t.rejects(rowsOf(text, { fileType: 'json' }), { code: 'BAD_FILE' }, text)
  }
})

t.test('Parquet as the hub writes it: nested lists, times, row groups', async (t) => {
  const rows = await collect(readParquet(join(fixtures, 'oasst-messages.snappy.parquet')))
  t.equal(rows.length, 6)
  t.match(rows[1], {
    line: 2,
    value: {
      message_id: 'a1',
      parent_id: 'a',
      created_date: '2023-02-07T17:29:24.000Z',
      review_count: 3,
      deleted: false,
      labels: { name: ['spam', 'quality', /./, /./, /./, /./, /./], count: [3, 3, 3, 3, 3, 3, 3] },
    },
  })
  t.match(rows[0], { value: { parent_id: null, labels: null, text: /☁/ } })
  t.equal(rows[4]!.line, 5, 'rows are counted through all groups')
})

t.test('Parquet: each compression gives the same rows; the stream form, too', async (t) => {
  const plain = await collect(readParquet(join(fixtures, 'helpsteer.none.parquet')))
  t.equal(plain.length, 5)
  t.match(plain[0], { value: { prompt: 'p0', helpfulness: 0, verbosity: 4 } })
  for (const codec of ['zstd', 'gzip', 'brotli']) {
    const rows = await collect(readParquet(join(fixtures, `helpsteer.${codec}.parquet`)))
    t.same(values(rows), values(plain), codec)
  }
  const bytes = gzipSync(await readFile(join(fixtures, 'helpsteer.zstd.parquet')))
  const spool = () => join(t.testdir(), 'spooled')
  t.same(values(await rowsOf(bytes, { fileName: 'x.parquet.gz', spool })), values(plain))
  await t.rejects(readFile(join(t.testdirName, 'spooled')), { code: 'ENOENT' }, 'nothing stays')
})

t.test('Parquet that is cut off or damaged anywhere is refused, not half-read', async (t) => {
  const bytes = await readFile(join(fixtures, 'oasst-messages.snappy.parquet'))
  const path = join(t.testdir(), 'x.parquet')
  for (const length of [4, 11, 400, bytes.length - 1]) {
    await writeFile(path, bytes.subarray(0, length))
    await t.rejects(collect(readParquet(path)), { code: 'BAD_FILE', detail: /Parquet/ })
  }
  const footer = Buffer.from(bytes)
  footer.writeUInt32LE(0xfffffff0, bytes.length - 8)
  await writeFile(path, footer)
  await t.rejects(collect(readParquet(path)), { code: 'BAD_FILE', detail: /footer has 4294967280/ })
  // Whatever single byte is wrong, reading ends: with rows or with a BAD_FILE.
  for (let at = 4; at < bytes.length; at += 97) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 0xff
    await writeFile(path, damaged)
    const outcome = await collect(readParquet(path)).then(
      () => 'rows',
      (error: unknown) => (error as { code?: string }).code,
    )
    t.ok(outcome === 'rows' || outcome === 'BAD_FILE', `byte ${at}: ${outcome}`)
  }
  await t.rejects(
    collect(readParquet(join(fixtures, 'oasst-messages.snappy.parquet'), 300)),
    { code: 'BODY_TOO_LARGE' },
    'the values count, not the bytes of the file',
  )
})
