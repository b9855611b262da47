import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createMetricsLog } from '../../src/util/metrics-log.ts'

t.test('every row is in the file as soon as it is written, after what was there', async (t) => {
  const path = join(t.testdir({ 'log.jsonl': '{"old":1}\n' }), 'log.jsonl')
  const log = createMetricsLog(path)
  log.write({ step: 1, loss: 0.5 })
  t.equal(readFileSync(path, 'utf8'), '{"old":1}\n{"step":1,"loss":0.5}\n')
  log.write({ step: 2 })
  log.close()
  t.equal(readFileSync(path, 'utf8').split('\n').length, 4)
})

t.test('without a path nothing happens', async (t) => {
  const log = createMetricsLog(undefined)
  t.doesNotThrow(() => log.write({ step: 1 }))
  t.doesNotThrow(() => log.close())
})

t.test('a file that cannot be opened is a bad argument', async (t) => {
  t.throws(() => createMetricsLog(join(t.testdir(), 'absent', 'log.jsonl')), {
    code: 'BAD_ARGUMENT',
    param: 'log-jsonl',
    detail: /--log-jsonl: .*absent.* cannot be written/,
  })
})
