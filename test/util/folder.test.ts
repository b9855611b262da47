import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { writeFolder } from '../../src/util/folder.ts'

t.test('a folder appears whole and replaces an older one', async (t) => {
  const dir = t.testdir()
  const path = join(dir, 'deep', 'out')
  for (const text of ['one', 'two']) {
    const result = await writeFolder(path, async (beside) => {
      await writeFile(join(beside, `${text}.txt`), text)
      return text
    })
    t.equal(result, text)
  }
  t.same(await readdir(path), ['two.txt'])
  t.same(await readdir(join(dir, 'deep')), ['out'])
})

t.test('when filling fails, the older folder stays and nothing else', async (t) => {
  const dir = t.testdir({ out: { 'a.txt': 'a' } })
  const filling = writeFolder(join(dir, 'out'), async (beside) => {
    await writeFile(join(beside, 'b.txt'), 'b')
    throw new Error('no')
  })
  await t.rejects(filling, { message: 'no' })
  t.equal(await readFile(join(dir, 'out', 'a.txt'), 'utf8'), 'a')
  t.same(await readdir(dir), ['out'])
})
