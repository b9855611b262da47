import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { appendChange, countChanges, readChanges } from '../../src/registry/change-log.ts'

t.test('changes come back in order; a number is taken once', async (t) => {
  const dir = join(t.testdir(), 'changes')
  t.equal(await countChanges(dir), 0)
  t.same(await readChanges(dir), [])
  t.ok(await appendChange(dir, 1, { a: 1 }))
  t.notOk(await appendChange(dir, 1, { a: 2 }))
  t.ok(await appendChange(dir, 2, { a: 3 }))
  t.same(await readChanges(dir), [{ a: 1 }, { a: 3 }])
  t.same(await readdir(dir), ['000001.json', '000002.json'], 'nothing else is left')
})

t.test('of many writers of one number exactly one wins', async (t) => {
  const dir = t.testdir()
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, i) => appendChange(dir, 1, { writer: i })),
  )
  t.equal(results.filter(Boolean).length, 1)
  t.same(await readChanges(dir), [{ writer: results.indexOf(true) }])
})

t.test('unfinished files do not count; a broken one is named', async (t) => {
  const dir = t.testdir({ '.host-1-00000000.part': '{"half' })
  t.equal(await countChanges(dir), 0)
  await mkdir(join(dir, 'more'))
  await writeFile(join(dir, '000001.json'), '{"half')
  await t.rejects(readChanges(dir), { code: 'BAD_FILE', detail: /000001\.json/ })
})
