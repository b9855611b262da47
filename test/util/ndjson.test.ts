import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { sha256 } from '../../src/util/hash.ts'
import { maxLineBytes, readNdjson, writeNdjson } from '../../src/util/ndjson.ts'
import type { NdjsonLine } from '../../src/util/ndjson.ts'

async function linesOf(path: string): Promise<NdjsonLine[]> {
  const lines: NdjsonLine[] = []
  for await (const line of readNdjson(path)) lines.push(line)
  return lines
}

t.test('lines come with their number; blank ones are skipped, bad ones reported', async (t) => {
  const path = join(t.testdir(), 'a.ndjson')
  const bad = Buffer.from([0x22, 0xff, 0x22, 0x0a])
  await writeFile(
    path,
    Buffer.concat([Buffer.from('\ufeff{"a":"é"}\r\n\n{"a":\n'), bad, Buffer.from('3')]),
  )
  const lines = await linesOf(path)
  t.same(lines[0], { line: 1, value: { a: 'é' }, raw: '{"a":"é"}' })
  t.match(lines[1], { line: 3, problem: /not JSON/, raw: '{"a":' })
  t.match(lines[2], { line: 4, problem: /not UTF-8/ })
  t.same(lines[3], { line: 5, value: 3, raw: '3' })
  t.equal(lines.length, 4)
})

t.test('gzip files are read by their ending; a broken one is a bad file', async (t) => {
  const dir = t.testdir()
  // Longer than one chunk, so that lines cross chunk borders.
  const rows = Array.from({ length: 3000 }, (_, i) => ({ i, text: 'é🙂'.repeat(50) }))
  const bytes = gzipSync(rows.map((row) => JSON.stringify(row)).join('\n'))
  await writeFile(join(dir, 'a.ndjson.gz'), bytes)
  const lines = await linesOf(join(dir, 'a.ndjson.gz'))
  t.same(
    lines.map((line) => ('value' in line ? line.value : null)),
    rows,
  )
  await writeFile(join(dir, 'b.ndjson.gz'), bytes.subarray(0, 100))
  await t.rejects(linesOf(join(dir, 'b.ndjson.gz')), { code: 'BAD_FILE' })
  await t.rejects(linesOf(join(dir, 'none.ndjson')), { code: 'BAD_FILE', message: /none\.ndjson/ })
  await t.rejects(linesOf(join(dir, 'none.ndjson.gz')), { code: 'BAD_FILE' })
})

t.test('a line over the limit is a bad line and the next one is read', async (t) => {
  const path = join(t.testdir(), 'long.ndjson')
  await writeFile(path, `"${'x'.repeat(maxLineBytes)}"\n1\n`)
  const lines = await linesOf(path)
  t.match(lines[0], { line: 1, problem: /longer than/ })
  t.same(lines[1], { line: 2, value: 1, raw: '1' })
})

t.test('a written file reads back and its hash is that of its bytes', async (t) => {
  const dir = t.testdir()
  const path = join(dir, 'out.ndjson')
  const written = await writeNdjson(path, [{ a: 1 }, 'zwölf', null])
  const bytes = await readFile(path)
  t.same(written, { rows: 3, bytes: bytes.length, sha256: sha256(bytes) })
  t.equal(bytes.toString(), '{"a":1}\n"zwölf"\nnull\n')
})

t.test('an error while writing leaves the old file and nothing else', async (t) => {
  const dir = t.testdir({ 'out.ndjson': 'old' })
  const rows = function* (): Generator<number> {
    yield 1
    throw new Error('source broke')
  }
  await t.rejects(writeNdjson(join(dir, 'out.ndjson'), rows()), { message: /source broke/ })
  t.equal(await readFile(join(dir, 'out.ndjson'), 'utf8'), 'old')
  t.same(await readdir(dir), ['out.ndjson'])
  await t.rejects(writeNdjson(join(dir, 'no', 'x'), [1]), { code: 'BAD_FILE' })
})
