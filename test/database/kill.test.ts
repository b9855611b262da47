import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openDatabase, schema } from '../../src/database/index.ts'
import { pgliteHome } from '../fixtures/databases.ts'

interface Report {
  ready?: number
  committed?: number
  code?: string
}

/** Kills a writing process, some time after its first report or after its start; gives what it reported. */
async function writeAndKill(home: string, fromStart: boolean, delayMs: number) {
  const child = fork(new URL('writer-process.ts', import.meta.url), [home], { silent: true })
  const seen = { committed: 0, failure: undefined as string | undefined, rows: -1 }
  child.on('message', (report: Report) => {
    if (report.ready !== undefined) seen.rows = report.ready
    seen.committed = report.committed ?? seen.committed
    seen.failure = report.code ?? seen.failure
  })
  if (!fromStart) await once(child, 'message')
  // The moment of the kill is the point: it must not hang on what the process does.
  await sleep(delayMs)
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
  return seen
}

t.test('whatever was committed is there after kill -9, and nothing by halves', async (t) => {
  const home = await pgliteHome(t)
  let acknowledged = 0
  const rounds = [
    { fromStart: false, delayMs: 300 * Math.random() },
    // During migration, recovery or the first rows.
    { fromStart: true, delayMs: 200 + 1500 * Math.random() },
    { fromStart: false, delayMs: 600 * Math.random() },
  ]
  for (const { fromStart, delayMs } of rounds) {
    const seen = await writeAndKill(home, fromStart, delayMs)
    const when = `killed ${Math.round(delayMs)} ms after its ${fromStart ? 'start' : 'opening'}`
    t.equal(seen.failure, undefined, `opened; ${when}`)
    if (seen.rows >= 0) t.ok(seen.rows >= acknowledged, `${seen.rows} rows of ${acknowledged}`)
    acknowledged = Math.max(acknowledged, seen.committed)
  }
  const database = await openDatabase({ home })
  t.teardown(() => database.close())
  const rows = await database.db.select().from(schema.usage).orderBy(schema.usage.day)
  t.ok(acknowledged > 0)
  t.ok(rows.length >= acknowledged, `${rows.length} rows of ${acknowledged}`)
  t.same(
    rows.map((row) => row.requests),
    rows.map((_, index) => index),
    'none is missing, none is there twice',
  )
  let whole = 0
  while (whole < rows.length) whole += 1 + (whole % 7)
  t.equal(whole, rows.length, 'the last transaction is whole')
})
