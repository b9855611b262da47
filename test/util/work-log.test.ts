import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openWorkLog } from '../../src/util/work-log.ts'

t.test('a later run of the same work finds the pieces that were finished', async (t) => {
  const path = join(t.testdir(), 'new', 'work.ndjson')
  const first = await openWorkLog<string[]>(path, { data: 'd', model: 'm' })
  t.equal(first.kept.size, 0)
  await Promise.all([2, 0, 5].map((index) => first.add(index, [`piece ${index}`])))
  appendFileSync(path, '{"index":7,"val') // a kill cut this line
  const second = await openWorkLog<string[]>(path, { model: 'm', data: 'd' })
  const kept = [...second.kept].toSorted(([a], [b]) => a - b)
  t.same(kept, [0, 2, 5].map((index) => [index, [`piece ${index}`]])) // prettier-ignore
  await second.add(7, ['again'])
  t.same((await openWorkLog(path, { data: 'd', model: 'm' })).kept.get(7), ['again'])
})

t.test('pieces of another work are dropped', async (t) => {
  const path = join(t.testdir(), 'work.ndjson')
  await (await openWorkLog<number>(path, { data: 'd' })).add(0, 1)
  t.equal((await openWorkLog(path, { data: 'other' })).kept.size, 0)
  t.equal(readFileSync(path, 'utf8').trim().split('\n').length, 1, 'only the head is left')
})

t.test('without a path nothing is kept', async (t) => {
  const log = await openWorkLog<number>(undefined, {})
  await log.add(0, 1)
  t.equal(log.kept.size, 0)
})
