/** Files and folders appear whole, or the old ones stay. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  replaceDirAtomic,
  streamFileAtomic,
  writeFileAtomic,
  writeFully,
} from '../../src/util/atomic-file.ts'

t.test('a file is written, then replaced, and nothing else is left', async (t) => {
  const dir = t.testdir({})
  const path = join(dir, 'state.json')
  await writeFileAtomic(path, 'ünïcode')
  t.equal(await readFile(path, 'utf8'), 'ünïcode')
  await writeFileAtomic(path, Uint8Array.of(1, 2))
  t.same([...(await readFile(path))], [1, 2])
  t.same(await readdir(dir), ['state.json'])
})

t.test('a write that fails half way leaves the old file', async (t) => {
  const dir = t.testdir({ 'state.json': 'old' })
  const path = join(dir, 'state.json')
  const half = streamFileAtomic(path, async (file) => {
    await writeFully(file, new TextEncoder().encode('half'))
    t.equal(await readFile(path, 'utf8'), 'old', 'the new bytes are not in place yet')
    throw new Error('no space')
  })
  await t.rejects(half, { message: 'no space' })
  t.equal(await readFile(path, 'utf8'), 'old')
  t.same(await readdir(dir), ['state.json'])
})

t.test('writers of one path at the same time do not mix', async (t) => {
  const path = join(t.testdir({}), 'x')
  const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(1e5))
  await Promise.all(texts.map((text) => writeFileAtomic(path, text)))
  t.ok(texts.includes(await readFile(path, 'utf8')))
})

t.test('a folder is moved into place and replaces an older one', async (t) => {
  const dir = t.testdir({ new: { a: '1', inner: { b: '2' } } })
  await replaceDirAtomic(join(dir, 'new'), join(dir, 'model'))
  t.equal(await readFile(join(dir, 'model', 'inner', 'b'), 'utf8'), '2')
  await mkdir(join(dir, 'newer'))
  await writeFile(join(dir, 'newer', 'c'), '3')
  await replaceDirAtomic(join(dir, 'newer'), join(dir, 'model'))
  t.same(await readdir(join(dir, 'model')), ['c'])
  t.same(await readdir(dir), ['model'])
})

t.test('a folder that cannot be moved leaves the older one', async (t) => {
  const dir = t.testdir({ model: { a: '1' } })
  await t.rejects(replaceDirAtomic(join(dir, 'missing'), join(dir, 'model')), { code: 'ENOENT' })
  t.equal(await readFile(join(dir, 'model', 'a'), 'utf8'), '1')
})
